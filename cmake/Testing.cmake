# weir_test(AREA NAME SOURCES... LIBS... DEPENDS...): a cmocka program beside its module;
# NAME may have a folder. Its CTest name is AREA.NAME without the folder.

if(WEIR_TESTS)
	enable_testing()
	pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

function(weir_test area path)
	if(NOT WEIR_TESTS)
		return()
	endif()
	cmake_parse_arguments(arg "" "" "SOURCES;LIBS;DEPENDS" ${ARGN})
	get_filename_component(name ${path} NAME)
	set(target ${area}_${name})
	add_executable(${target} ${path}.c ${arg_SOURCES})
	if(arg_DEPENDS)
		add_dependencies(${target} ${arg_DEPENDS})
	endif()
	set_target_properties(${target} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
	target_link_libraries(${target} PRIVATE weir_flags PkgConfig::CMOCKA ${arg_LIBS})
	target_compile_definitions(${target} PRIVATE
		WEIR_TEST_PCAPS="${CMAKE_SOURCE_DIR}/../shared/pcaps")
	add_test(NAME ${area}.${name} COMMAND ${target})
	set_tests_properties(${area}.${name} PROPERTIES
		TIMEOUT 120 SKIP_RETURN_CODE 77)
endfunction()

# weir_fuzz(AREA NAME_fuzz LIBS... OPTIONS...): a fuzzer from NAME_fuzz.c. With
# -DWEIR_FUZZ=ON and clang it is build/fuzz/AREA_NAME_fuzz, with libFuzzer (`make fuzz` runs
# it); in every other build it has a plain driver, and AREA.NAME_corpus is the test that
# every input in corpus/NAME passes. OPTIONS are for the linker.
function(weir_fuzz area fuzzer)
	cmake_parse_arguments(arg "" "" "LIBS;OPTIONS" ${ARGN})
	string(REGEX REPLACE "_fuzz$" "" name ${fuzzer})
	set(target ${area}_${fuzzer})
	if(WEIR_FUZZ)
		add_executable(${target} ${fuzzer}.c)
		set_target_properties(${target} PROPERTIES
			RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
		target_link_options(${target} PRIVATE -fsanitize=fuzzer)
		add_dependencies(fuzzers ${target})
	elseif(WEIR_TESTS)
		add_executable(${target} ${fuzzer}.c ${CMAKE_SOURCE_DIR}/tests/fuzz/driver.c)
		set_target_properties(${target} PROPERTIES
			RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
		add_test(NAME ${area}.${name}_corpus
			COMMAND ${target} ${CMAKE_CURRENT_SOURCE_DIR}/corpus/${name})
		set_tests_properties(${area}.${name}_corpus PROPERTIES TIMEOUT 120)
	else()
		return()
	endif()
	target_link_libraries(${target} PRIVATE weir_flags ${arg_LIBS})
	target_link_options(${target} PRIVATE ${arg_OPTIONS})
endfunction()

if(WEIR_FUZZ)
	add_custom_target(fuzzers)
endif()
