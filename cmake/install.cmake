# What `cmake --install` puts down: the program, the public headers, and the engine as one shared
# library with a CMake package for programs that embed it:
#
#   find_package(llm-worker REQUIRED)
#   target_link_libraries(my_program PRIVATE llm-worker::llm)

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

# Objects, not archives: the library has whole what implements the public headers.
add_library(llm SHARED $<TARGET_OBJECTS:llm_core> $<TARGET_OBJECTS:llm_sampling>
                       $<TARGET_OBJECTS:llm_chat> $<TARGET_OBJECTS:llm_engine>)
target_link_libraries(llm PRIVATE llm_engine)
target_include_directories(llm INTERFACE $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
target_compile_features(llm INTERFACE cxx_std_20)
set_target_properties(llm PROPERTIES
  OUTPUT_NAME llm-worker
  VERSION ${PROJECT_VERSION}
  SOVERSION ${PROJECT_VERSION_MAJOR}.${PROJECT_VERSION_MINOR}
  LINKER_LANGUAGE CXX)

install(TARGETS llm-worker RUNTIME)
install(TARGETS llm EXPORT llm-worker-targets LIBRARY NAMELINK_COMPONENT development)
install(DIRECTORY include/llm TYPE INCLUDE FILES_MATCHING PATTERN "*.h")

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/llm-worker)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/llm-worker-config-version.cmake
  COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/llm-worker-config-version.cmake DESTINATION ${package_dir})
# The shared library brings everything it needs along: the targets are the whole package.
install(EXPORT llm-worker-targets FILE llm-worker-config.cmake NAMESPACE llm-worker::
        DESTINATION ${package_dir})
