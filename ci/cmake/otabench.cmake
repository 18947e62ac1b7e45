# How every room of the project is built: one archive per folder, one CUnit binary per *_test.c,
# one libFuzzer binary per *_fuzz.c. A folder names only what it stands on.

# otabench_language: what all code is compiled with; otabench_flags: instrumentation as well.
add_library(otabench_language INTERFACE)
target_include_directories(otabench_language INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(otabench_language INTERFACE _GNU_SOURCE)
target_compile_options(
  otabench_language
  INTERFACE -Wall
            -Wextra
            -Wpedantic
            -Wconversion
            -Wshadow
            -Wstrict-prototypes
            -Wvla
            -fno-omit-frame-pointer
            # No path of the building machine in the binary, so two machines build the same bytes.
            -ffile-prefix-map=${PROJECT_SOURCE_DIR}/=
            $<$<BOOL:${OTABENCH_WERROR}>:-Werror>)
add_library(otabench_flags INTERFACE)
target_link_libraries(otabench_flags INTERFACE otabench_language)
# Asserts are part of the product: a bench that goes on with a broken invariant lies.
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")
string(REPLACE "-DNDEBUG" "" CMAKE_C_FLAGS_RELWITHDEBINFO "${CMAKE_C_FLAGS_RELWITHDEBINFO}")
string(REPLACE "-O3" "-O2" CMAKE_C_FLAGS_RELEASE "${CMAKE_C_FLAGS_RELEASE}")

if(OTABENCH_SANITIZE)
  target_compile_options(otabench_flags INTERFACE -fsanitize=${OTABENCH_SANITIZE}
                                                  -fno-sanitize-recover=all)
  target_link_options(otabench_flags INTERFACE -fsanitize=${OTABENCH_SANITIZE})
endif()
if(OTABENCH_COVERAGE)
  target_compile_options(otabench_flags INTERFACE --coverage)
  target_link_options(otabench_flags INTERFACE --coverage)
endif()
if(OTABENCH_FUZZ)
  # How deep the stack was depends on where the kernel put it: no two runs would be the same.
  target_compile_options(otabench_flags INTERFACE -fsanitize=fuzzer-no-link
                                                  -fno-sanitize-coverage=stack-depth)
endif()

# There is a program for every test; lld links them in half the time. The command itself is left to
# the compiler's own linker, so that it is the same wherever it is built.
find_program(OTABENCH_LLD ld.lld)
set(otabench_test_link $<$<BOOL:${OTABENCH_LLD}>:-fuse-ld=lld>)

# otabench_library(name [DEPS target...]): archive of this folder's *.c; its *_test.c become tests
# that link the archive and the CUnit harness; its *_fuzz.c become fuzz targets. PARTS test n: that
# program takes long, so ctest runs it as n tests, side by side and before the others. All but the
# first of them have the label "slow": ci/test runs those in the release build.
function(otabench_library name)
  cmake_parse_arguments(ARG "" "" "DEPS;PARTS" ${ARGN})
  file(GLOB sources CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} *.c)
  set(tests ${sources})
  set(fuzzers ${sources})
  list(FILTER sources EXCLUDE REGEX "_(test|fuzz|main)\\.c$")
  list(FILTER tests INCLUDE REGEX "_test\\.c$")
  list(FILTER fuzzers INCLUDE REGEX "_fuzz\\.c$")
  add_library(${name} STATIC ${sources})
  target_link_libraries(${name} PUBLIC otabench_flags ${ARG_DEPS})
  foreach(file ${tests})
    get_filename_component(test ${file} NAME_WE)
    add_executable(${test} ${file})
    target_link_libraries(${test} PRIVATE ${name} testing)
    target_link_options(${test} PRIVATE ${otabench_test_link})
    list(FIND ARG_PARTS ${test} at)
    if(at EQUAL -1)
      add_test(NAME ${test} COMMAND ${test} WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
      continue()
    endif()
    list(REMOVE_AT ARG_PARTS ${at})
    list(GET ARG_PARTS ${at} count)
    list(REMOVE_AT ARG_PARTS ${at})
    foreach(part RANGE 1 ${count})
      set(part_name ${test}.${part})
      add_test(NAME ${part_name} COMMAND ${test} --part ${part}/${count}
               WORKING_DIRECTORY ${PROJECT_SOURCE_DIR})
      set_tests_properties(${part_name} PROPERTIES COST 1000)
      if(part GREATER 1)
        set_tests_properties(${part_name} PROPERTIES LABELS slow)
      endif()
    endforeach()
  endforeach()
  if(ARG_PARTS)
    message(FATAL_ERROR "${name}: PARTS names what is no test here: ${ARG_PARTS}")
  endif()
  if(OTABENCH_FUZZ)
    foreach(file ${fuzzers})
      get_filename_component(fuzzer ${file} NAME_WE)
      add_executable(${fuzzer} ${file})
      target_link_libraries(${fuzzer} PRIVATE ${name})
      target_link_options(${fuzzer} PRIVATE -fsanitize=fuzzer ${otabench_test_link})
    endforeach()
  endif()
endfunction()

# otabench_hot(source...): where explorers spend most of their time. In release builds the compiler
# may take longer over them, and keeps no register for walking stacks.
function(otabench_hot)
  if(CMAKE_BUILD_TYPE STREQUAL "Release")
    set_source_files_properties(${ARGN} PROPERTIES COMPILE_OPTIONS "-O3;-fomit-frame-pointer")
  endif()
endfunction()
