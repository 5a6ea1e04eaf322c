# Warnings, hardening and sanitizers: one interface target that everything links.

add_library(weir_flags INTERFACE)
target_include_directories(weir_flags INTERFACE ${CMAKE_SOURCE_DIR})
target_compile_definitions(weir_flags INTERFACE
	_GNU_SOURCE
	WEIR_VERSION="${PROJECT_VERSION}"
	WEIR_LIBEXECDIR="${CMAKE_INSTALL_FULL_LIBEXECDIR}/weir"
	WEIR_SYSCONFDIR="${CMAKE_INSTALL_FULL_SYSCONFDIR}/weir")
target_compile_options(weir_flags INTERFACE
	-Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes
	-Wpointer-arith -Wcast-qual -Wsign-compare -Wformat=2
	-Wimplicit-fallthrough -Wvla
	-fno-strict-aliasing -fno-common
	-fstack-protector-strong -fstack-clash-protection)
if(WEIR_WERROR)
	target_compile_options(weir_flags INTERFACE -Werror)
endif()
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
target_link_options(weir_flags INTERFACE -pie -Wl,-z,relro -Wl,-z,now -Wl,--as-needed)

if(WEIR_SANITIZE STREQUAL "address")
	set(weir_sanitizers address,undefined)
elseif(WEIR_SANITIZE)
	set(weir_sanitizers ${WEIR_SANITIZE})
endif()
if(weir_sanitizers)
	target_compile_definitions(weir_flags INTERFACE WEIR_SANITIZED=1)
	target_compile_options(weir_flags INTERFACE
		-fsanitize=${weir_sanitizers} -fno-omit-frame-pointer
		-fno-sanitize-recover=all)
	target_link_options(weir_flags INTERFACE -fsanitize=${weir_sanitizers})
else()
	# Fortify needs optimisation and gets in the way of the sanitizers.
	target_compile_options(weir_flags INTERFACE
		$<$<NOT:$<CONFIG:Debug>>:-U_FORTIFY_SOURCE>
		$<$<NOT:$<CONFIG:Debug>>:-D_FORTIFY_SOURCE=3>)
endif()
if(WEIR_FUZZ)
	if(NOT CMAKE_C_COMPILER_ID MATCHES "Clang")
		message(FATAL_ERROR "WEIR_FUZZ needs clang: cmake -DCMAKE_C_COMPILER=clang")
	endif()
	# What gcc is silent about: macros of seccomp.h, SQL over two lines.
	target_compile_options(weir_flags INTERFACE
		-fsanitize=fuzzer-no-link,address,undefined -fno-omit-frame-pointer
		-fno-sanitize-recover=all
		-Wno-missing-field-initializers -Wno-string-concatenation)
	target_link_options(weir_flags INTERFACE -fsanitize=address,undefined)
endif()
