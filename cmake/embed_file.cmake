# Writes a C++ source that defines `const std::string_view <NAME>` in `namespace llm::server` with the
# bytes of a file. Run as a script: cmake -DINPUT=... -DOUTPUT=... -DNAME=... -P embed_file.cmake
file(READ ${INPUT} bytes HEX)
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," bytes "${bytes}")
string(REGEX REPLACE "(................................................................................................................)" "\\1\n" bytes "${bytes}")
file(WRITE ${OUTPUT} "// Made from a file of the source tree.
#include <string_view>
namespace llm::server {
namespace {
constexpr char kBytes[] = {${bytes}};
}
extern const std::string_view ${NAME};
const std::string_view ${NAME}{kBytes, sizeof kBytes};
}
")
