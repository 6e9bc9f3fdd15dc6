# Build rules shared by every folder: warnings, sanitizers, and one static library per folder that
# links exactly the folders it may include.

add_library(llm_build_flags INTERFACE)
target_include_directories(llm_build_flags INTERFACE
  ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
target_compile_options(llm_build_flags INTERFACE
  -Wall -Wextra -Wconversion -Wshadow -Wnon-virtual-dtor -Werror
  # GCC 12 reports std::string assignments and concatenations that are right (GCC bug 105329).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # Members left out of a designated initialiser keep their defaults, which is the point of them.
  -Wno-missing-field-initializers
  # The shared library exports what LLM_API names, and nothing else.
  -fvisibility=hidden -fvisibility-inlines-hidden
  # Fused multiply-add only where the code says so: results must not depend on the optimiser.
  -ffp-contract=off)
if(LLM_SANITIZE)
  target_compile_options(llm_build_flags INTERFACE
    -fsanitize=${LLM_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(llm_build_flags INTERFACE -fsanitize=${LLM_SANITIZE})
  # GCC cannot follow std::variant through instrumented code and reports members as uninitialised.
  target_compile_options(llm_build_flags INTERFACE
    $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>)
endif()
if(LLM_FUZZ)
  target_compile_options(llm_build_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# Headers that take longer to read than most of our files to compile. The fuzz build goes without, so
# that a file which forgets to include what it uses is found.
set(llm_large_headers <fmt/format.h> <nlohmann/json.hpp> <algorithm> <functional> <memory> <string>
                      <variant> <vector>)
function(llm_precompile target)
  if(LLM_FUZZ)
    return()
  endif()
  target_precompile_headers(${target} ${ARGN})
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
    target_compile_options(${target} PRIVATE -fpch-preprocess)  # for ccache
    # More of the same false reports about std::string as above: code from precompiled headers does
    # not count as code of the system.
    target_compile_options(${target} PRIVATE -Wno-array-bounds -Wno-stringop-overflow
                                             -Wno-stringop-overread)
  endif()
endfunction()

# llm_library(<folder> SOURCES a.cpp ... [DEPENDS core quant ...] [LIBRARIES fmt::fmt ...]
#             [PRECOMPILE <header> ...])
# defines the static library llm_<folder>. COLD folders do no arithmetic: builds with sanitizers, which
# optimise a little to keep tests of whole models quick, leave them as they are to compile faster.
function(llm_library folder)
  cmake_parse_arguments(ARG "COLD" "" "SOURCES;DEPENDS;LIBRARIES;PRECOMPILE" ${ARGN})
  add_library(llm_${folder} STATIC ${ARG_SOURCES})
  target_link_libraries(llm_${folder} PUBLIC llm_build_flags ${ARG_LIBRARIES})
  if(LLM_SANITIZE AND NOT ARG_COLD)
    target_compile_options(llm_${folder} PRIVATE -O1)
  endif()
  foreach(dependency IN LISTS ARG_DEPENDS)
    target_link_libraries(llm_${folder} PUBLIC llm_${dependency})
  endforeach()
  if(ARG_PRECOMPILE)
    llm_precompile(llm_${folder} PRIVATE ${ARG_PRECOMPILE})
  endif()
endfunction()

# llm_test(<folder> SOURCES a_test.cpp ... DEPENDS core ...) defines the test program
# test_<folder> and registers its cases with ctest.
function(llm_test folder)
  cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
  add_executable(test_${folder} ${ARG_SOURCES})
  target_link_libraries(test_${folder} PRIVATE llm_build_flags GTest::gtest_main ${ARG_LIBRARIES})
  target_include_directories(test_${folder} PRIVATE ${PROJECT_SOURCE_DIR}/tests)
  if(NOT LLM_SANITIZE)
    target_compile_options(test_${folder} PRIVATE -O1)  # it runs once: quick to compile is enough
  endif()
  target_compile_definitions(test_${folder} PRIVATE
    LLM_SOURCE_DIR="${PROJECT_SOURCE_DIR}" LLM_BINARY_DIR="${PROJECT_BINARY_DIR}")
  foreach(dependency IN LISTS ARG_DEPENDS)
    target_link_libraries(test_${folder} PRIVATE llm_${dependency})
  endforeach()
  if(folder STREQUAL "core")  # the first; it shares with the others
    llm_precompile(test_core PRIVATE <gtest/gtest.h> ${llm_large_headers})
  else()
    llm_precompile(test_${folder} REUSE_FROM test_core)
  endif()
  gtest_discover_tests(test_${folder} NO_PRETTY_VALUES PROPERTIES LABELS ${folder} DISCOVERY_TIMEOUT 60)
endfunction()
