// What the writers write, the readers read back the same; nothing incomplete ever gets the name.
#include "formats/tensor_writer.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <string>

#include "core/mapped_file.h"
#include "formats/file_builder.h"
#include "formats/gguf_reader.h"
#include "formats/safetensors_reader.h"
#include "support/temp_dir.h"

namespace llm::formats {
namespace {

std::string text_of(const core::TensorView& view) {
  return {reinterpret_cast<const char*>(view.data), view.bytes};
}

std::size_t files_in(const std::filesystem::path& directory) {
  return static_cast<std::size_t>(
      std::distance(std::filesystem::directory_iterator(directory), {}));
}

const std::vector<TensorDeclaration> kTensors = {{"matrix", DType::f32, {1, 2}},
                                                 {"nothing", DType::f32, {0, 7}},
                                                 {"scalar", DType::u8, {}},
                                                 {"half", DType::bf16, {2, 1, 1}}};

TEST(SafetensorsWriter, RoundTrip) {
  const TempDir dir;
  const auto path = dir.path() / "out.safetensors";
  auto writer =
      TensorFileWriter::create_safetensors(path, kTensors, {{"format", "pt"}, {"k", "\n"}});
  ASSERT_TRUE(writer) << writer.error().message();
  EXPECT_FALSE(std::filesystem::exists(path)) << "the name appears only at the end";
  ASSERT_TRUE(writer->write("matrix", as_bytes("123")).ok());
  ASSERT_TRUE(writer->write("matrix", as_bytes("45678")).ok());
  ASSERT_TRUE(writer->write("scalar", as_bytes("s")).ok());
  ASSERT_TRUE(writer->write("half", as_bytes("hhhh")).ok());
  ASSERT_TRUE(writer->finish().ok());
  EXPECT_EQ(files_in(dir.path()), 1u);

  const auto file = core::MappedFile::open(path);
  ASSERT_TRUE(file);
  const auto parsed = parse_safetensors(file->bytes(), "out");
  ASSERT_TRUE(parsed) << parsed.error().message();
  EXPECT_EQ(parsed->metadata, (std::map<std::string, std::string>{{"format", "pt"}, {"k", "\n"}}));
  ASSERT_EQ(parsed->tensors.size(), kTensors.size());
  const std::string contents[] = {"12345678", "", "s", "hhhh"};
  for (std::size_t t = 0; t < kTensors.size(); ++t) {
    EXPECT_EQ(parsed->tensors[t].name, kTensors[t].name);
    EXPECT_EQ(parsed->tensors[t].view.dtype, kTensors[t].dtype);
    EXPECT_EQ(parsed->tensors[t].view.shape, kTensors[t].shape);
    EXPECT_EQ(text_of(parsed->tensors[t].view), contents[t]);
  }
  const auto data = parsed->tensors[0].view.data - file->bytes().data();
  EXPECT_EQ(data % 8, 0) << "the data begins aligned to 8";
}

GgufMetadata sample_metadata() {
  GgufMetadata metadata;
  EXPECT_TRUE(metadata.insert("general.architecture", std::string("llama")));
  EXPECT_TRUE(metadata.insert("llama.block_count", std::int64_t{2}));
  EXPECT_TRUE(metadata.insert("negative", std::int64_t{-7}));
  EXPECT_TRUE(metadata.insert("wide", std::int64_t{1} << 40));
  EXPECT_TRUE(metadata.insert("eps", 0.5));
  EXPECT_TRUE(metadata.insert("add_bos", true));
  EXPECT_TRUE(metadata.insert("tokens", GgufArray(std::vector<std::string>{"a", "", "\xff"})));
  EXPECT_TRUE(metadata.insert("types", GgufArray(std::vector<std::int64_t>{1, -3})));
  EXPECT_TRUE(metadata.insert("scores", GgufArray(std::vector<double>{-1000, 0.25})));
  EXPECT_TRUE(metadata.insert("flags", GgufArray(std::vector<bool>{true, false})));
  EXPECT_TRUE(metadata.insert("none", GgufArray(std::vector<std::string>{})));
  EXPECT_TRUE(metadata.insert("short", std::int64_t{3}, GgufType::u16));
  EXPECT_TRUE(metadata.insert("double", 0.1, GgufType::f64));
  EXPECT_TRUE(
      metadata.insert("charsmap", GgufArray(std::vector<std::int64_t>{0, 255}), GgufType::u8));
  return metadata;
}

TEST(GgufWriter, RoundTrip) {
  const TempDir dir;
  for (const std::size_t alignment : {32u, 128u}) {
    const auto path = dir.path() / "out.gguf";
    GgufMetadata metadata = sample_metadata();
    if (alignment != 32) metadata.set("general.alignment", static_cast<std::int64_t>(alignment));
    const std::vector<TensorDeclaration> tensors = {{"q", DType::q8_0, {2, 32}},
                                                    {"norm", DType::f32, {3}}};
    auto writer = TensorFileWriter::create_gguf(path, tensors, metadata);
    ASSERT_TRUE(writer) << writer.error().message();
    ASSERT_TRUE(writer->write("q", as_bytes(std::string(34, 'a'))).ok());
    ASSERT_TRUE(writer->write("q", as_bytes(std::string(34, 'b'))).ok());
    ASSERT_TRUE(writer->write("norm", as_bytes(std::string(12, 'n'))).ok());
    ASSERT_TRUE(writer->finish().ok());

    const auto file = core::MappedFile::open(path);
    ASSERT_TRUE(file);
    EXPECT_EQ(file->bytes().size() % alignment, 0u);
    const auto parsed = parse_gguf(file->bytes(), "out");
    ASSERT_TRUE(parsed) << parsed.error().message();
    EXPECT_EQ(parsed->version, 3u);
    EXPECT_EQ(parsed->alignment, alignment);
    EXPECT_EQ(parsed->metadata.values(), metadata.values());
    for (const auto& [key, value] : metadata.values()) {
      EXPECT_EQ(parsed->metadata.stored_type(key), metadata.stored_type(key)) << key;
    }
    ASSERT_EQ(parsed->tensors.size(), 2u);
    EXPECT_EQ(parsed->tensors[0].view.shape, (core::Shape{2, 32}));
    EXPECT_EQ(text_of(parsed->tensors[0].view), std::string(34, 'a') + std::string(34, 'b'));
    EXPECT_EQ(text_of(parsed->tensors[1].view), std::string(12, 'n'));
  }
}

TEST(GgufWriter, ReplacesAnOlderFileOnlyWhenComplete) {
  const TempDir dir;
  const auto path = dir.write("out.gguf", "older");
  {
    auto writer = TensorFileWriter::create_gguf(path, {{"t", DType::f32, {2}}}, {});
    ASSERT_TRUE(writer) << writer.error().message();
    ASSERT_TRUE(writer->write("t", as_bytes("1234")).ok());
    EXPECT_FALSE(writer->finish().ok()) << "four bytes are missing";
  }
  EXPECT_EQ(*core::read_text_file(path, 100), "older");
  EXPECT_EQ(files_in(dir.path()), 1u) << "the temporary file is gone";
}

TEST(TensorWriter, RefusesBytesThatDoNotBelong) {
  const TempDir dir;
  auto writer = TensorFileWriter::create_gguf(dir.path() / "out.gguf",
                                              {{"a", DType::f32, {1}}, {"b", DType::f32, {1}}}, {});
  ASSERT_TRUE(writer) << writer.error().message();
  EXPECT_NE(writer->write("b", as_bytes("1234")).message().find("expected \"a\""),
            std::string::npos);
  EXPECT_NE(writer->write("a", as_bytes("12345")).message().find("expected 4"), std::string::npos);
  EXPECT_TRUE(writer->write("a", as_bytes("1234")).ok());
  EXPECT_TRUE(writer->write("b", as_bytes("1234")).ok());
  EXPECT_FALSE(writer->write("b", as_bytes("5")).ok());
  EXPECT_TRUE(writer->finish().ok());
}

void expect_refused(const Result<TensorFileWriter>& writer, const std::string& mention) {
  ASSERT_FALSE(writer);
  EXPECT_EQ(writer.error().code(), StatusCode::invalid_argument);
  EXPECT_NE(writer.error().message().find(mention), std::string::npos) << writer.error().message();
}

TEST(TensorWriter, RefusesWhatTheFormatsCannotHold) {
  const TempDir dir;
  const auto path = dir.path() / "out";
  const auto gguf = [&](TensorDeclaration tensor) {
    return TensorFileWriter::create_gguf(path, {std::move(tensor)}, {});
  };
  const auto safetensors = [&](TensorDeclaration tensor) {
    return TensorFileWriter::create_safetensors(path, {std::move(tensor)}, {});
  };
  expect_refused(gguf({"t", DType::q4_k, {2, 128}}), "q4_k");
  expect_refused(gguf({"t", DType::u8, {1}}), "GGUF has no u8");
  expect_refused(gguf({std::string(64, 'n'), DType::f32, {1}}), "63");
  expect_refused(gguf({"t", DType::f32, {1, 1, 1, 1, 1}}), "4 dimensions");
  expect_refused(gguf({"t", DType::f64, {std::int64_t{1} << 62}}), "shape");
  expect_refused(safetensors({"t", DType::q8_0, {32}}), "q8_0");
  expect_refused(safetensors({"__metadata__", DType::f32, {1}}), "__metadata__");
  expect_refused(safetensors({"\xff", DType::f32, {1}}), "UTF-8");
  expect_refused(TensorFileWriter::create_safetensors(
                     path, {{"t", DType::f32, {1}}, {"t", DType::f32, {1}}}, {}),
                 "twice");
  GgufMetadata metadata;
  ASSERT_TRUE(metadata.insert("n", std::int64_t{300}, GgufType::u8));
  expect_refused(TensorFileWriter::create_gguf(path, {}, metadata), "does not fit type u8");
  GgufMetadata alignment;
  ASSERT_TRUE(alignment.insert("general.alignment", std::int64_t{24}));
  expect_refused(TensorFileWriter::create_gguf(path, {}, alignment), "power of two");
  EXPECT_EQ(files_in(dir.path()), 0u);
}

TEST(OutputFile, DirectoryThatDoesNotExist) {
  const TempDir dir;
  const auto file = OutputFile::create(dir.path() / "absent" / "out");
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), StatusCode::io_error);
  EXPECT_NE(file.error().message().find("No such file"), std::string::npos);
}

TEST(OutputFile, FullDiskIsReportedAndLeavesNothing) {
  // A limit on the file size makes writes fail midway, as a full disk does.
  const TempDir dir;
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit limit = old_limit;
  limit.rlim_cur = 1 << 20;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  {
    auto file = OutputFile::create(dir.path() / "out");
    ASSERT_TRUE(file) << file.error().message();
    const std::string chunk(300'000, 'x');
    Status status;
    for (int n = 0; n < 20 && status.ok(); ++n) status = file->write(as_bytes(chunk));
    EXPECT_FALSE(status.ok());
    EXPECT_NE(status.message().find("out: cannot write: File too large"), std::string::npos)
        << status.message();
    EXPECT_EQ(files_in(dir.path()), 0u) << "the temporary file is removed at once";
    EXPECT_FALSE(file->write(as_bytes(chunk)).ok());
    EXPECT_FALSE(file->commit().ok());
  }
  setrlimit(RLIMIT_FSIZE, &old_limit);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(files_in(dir.path()), 0u);
}

TEST(OutputFile, AProcessThatEndsMidwayLeavesNothing) {
  const TempDir dir;
  const auto path = dir.path() / "out";
  {
    const auto file = OutputFile::create(path);
    ASSERT_TRUE(file) << file.error().message();
    if (files_in(dir.path()) != 0) GTEST_SKIP() << "the file system has no files without a name";
  }
  const pid_t child = ::fork();
  if (child == 0) {
    auto file = OutputFile::create(path);
    const std::string chunk(3 << 20, 'x');
    ::_exit(file && file->write(as_bytes(chunk)).ok() ? 0 : 1);
  }
  int outcome = -1;
  ASSERT_EQ(::waitpid(child, &outcome, 0), child);
  EXPECT_EQ(outcome, 0);
  EXPECT_EQ(files_in(dir.path()), 0u);
}

TEST(OutputFile, NameThatIsADirectory) {
  const TempDir dir;
  std::filesystem::create_directory(dir.path() / "out");
  auto file = OutputFile::create(dir.path() / "out");
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(file->commit().code(), StatusCode::io_error);
  EXPECT_EQ(files_in(dir.path()), 1u);
}

}  // namespace
}  // namespace llm::formats
