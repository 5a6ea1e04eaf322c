# weir_test(AREA NAME SOURCES... LIBS...): a cmocka program beside its module;
# its CTest name is its place in the tree: AREA.NAME.

if(WEIR_TESTS)
	enable_testing()
	pkg_check_modules(CMOCKA REQUIRED IMPORTED_TARGET cmocka)
endif()

function(weir_test area name)
	if(NOT WEIR_TESTS)
		return()
	endif()
	cmake_parse_arguments(arg "" "" "SOURCES;LIBS" ${ARGN})
	set(target ${area}_${name})
	add_executable(${target} ${name}.c ${arg_SOURCES})
	set_target_properties(${target} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
	target_link_libraries(${target} PRIVATE weir_flags PkgConfig::CMOCKA ${arg_LIBS})
	target_compile_definitions(${target} PRIVATE
		WEIR_TEST_PCAPS="${CMAKE_SOURCE_DIR}/../shared/pcaps")
	add_test(NAME ${area}.${name} COMMAND ${target})
	set_tests_properties(${area}.${name} PROPERTIES
		TIMEOUT 120 SKIP_RETURN_CODE 77)
endfunction()
