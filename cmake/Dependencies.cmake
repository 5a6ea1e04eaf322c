# All from Debian stable; the reason for each is in README.md.

find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
foreach(dep IN ITEMS
		libpcap:PCAP zlib:ZLIB msgpack:MSGPACK libcap-ng:CAPNG sqlite3:SQLITE
		libzstd:ZSTD libxxhash:XXHASH yaml-0.1:YAML libsystemd:SYSTEMD
		libmnl:MNL libseccomp:SECCOMP)
	string(REPLACE ":" ";" dep ${dep})
	list(GET dep 0 module)
	list(GET dep 1 prefix)
	pkg_check_modules(${prefix} REQUIRED IMPORTED_TARGET ${module})
endforeach()

# nng 1.5.2 installs no pkg-config file.
find_path(NNG_INCLUDE_DIR nng/nng.h REQUIRED)
find_library(NNG_LIBRARY nng REQUIRED)
add_library(nng_ipc INTERFACE)
target_include_directories(nng_ipc SYSTEM INTERFACE ${NNG_INCLUDE_DIR})
target_link_libraries(nng_ipc INTERFACE ${NNG_LIBRARY} Threads::Threads)
