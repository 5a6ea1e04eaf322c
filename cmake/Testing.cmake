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

# weir_fuzz(AREA NAME LIBS...): a libFuzzer program from NAME.c, with -DWEIR_FUZZ=ON and
# clang: build/fuzz/AREA_NAME CORPUS.
function(weir_fuzz area name)
	if(NOT WEIR_FUZZ)
		return()
	endif()
	cmake_parse_arguments(arg "" "" "LIBS" ${ARGN})
	add_executable(${area}_${name} ${name}.c)
	set_target_properties(${area}_${name} PROPERTIES
		RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/fuzz)
	target_link_libraries(${area}_${name} PRIVATE weir_flags ${arg_LIBS})
	target_link_options(${area}_${name} PRIVATE -fsanitize=fuzzer)
endfunction()
