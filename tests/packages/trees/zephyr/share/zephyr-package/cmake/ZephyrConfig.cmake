# What of Zephyr's CMake a module and its sample use: settings of prj.conf and of EXTRA_CONF_FILE, the
# modules of EXTRA_ZEPHYR_MODULES, and the program "app", built for this computer.
enable_language(C)
add_executable(app)

function(zephyr_include_directories)
  target_include_directories(app PRIVATE ${ARGV})
endfunction()

macro(zephyr_library_named name)
  set(ZEPHYR_CURRENT_LIBRARY ${name})
  add_library(${name} STATIC)
  target_link_libraries(app PRIVATE ${name})
endmacro()

function(zephyr_library_sources)
  target_sources(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGV})
endfunction()

function(zephyr_library_compile_options)
  target_compile_options(${ZEPHYR_CURRENT_LIBRARY} PRIVATE ${ARGV})
endfunction()

foreach(file prj.conf ${EXTRA_CONF_FILE})
  file(STRINGS ${CMAKE_SOURCE_DIR}/${file} lines REGEX "^CONFIG_")
  foreach(line ${lines})
    string(REGEX MATCH "^(CONFIG_[A-Z0-9_]+)=(.+)$" found ${line})
    set(${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
    target_compile_definitions(app PRIVATE ${CMAKE_MATCH_1}=1)
  endforeach()
endforeach()

foreach(module ${EXTRA_ZEPHYR_MODULES})
  get_filename_component(module ${module} ABSOLUTE)
  get_filename_component(name ${module} NAME)
  add_subdirectory(${module}/zephyr ${CMAKE_BINARY_DIR}/modules/${name})
endforeach()
