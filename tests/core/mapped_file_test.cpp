#include "core/mapped_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "support/temp_dir.h"

namespace llm::core {
namespace {

std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(MappedFile, ShowsTheContent) {
  const TempDir dir;
  const auto path = dir.write("file", "hello");
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_EQ(text_of(file->bytes()), "hello");
  EXPECT_EQ(file->path(), path);
}

TEST(MappedFile, EmptyFile) {
  const TempDir dir;
  const auto file = MappedFile::open(dir.write("file", ""));
  ASSERT_TRUE(file) << file.error().message();
  EXPECT_TRUE(file->bytes().empty());
}

TEST(MappedFile, AddressStaysOnAMove) {
  const TempDir dir;
  auto file = MappedFile::open(dir.write("file", "hello"));
  ASSERT_TRUE(file);
  const std::byte* address = file->bytes().data();
  MappedFile moved = std::move(*file);
  EXPECT_EQ(moved.bytes().data(), address);
  auto other = MappedFile::open(dir.write("other", "x"));
  ASSERT_TRUE(other);
  *other = std::move(moved);
  EXPECT_EQ(text_of(other->bytes()), "hello");
}

TEST(MappedFile, WhatIsNotARegularFileIsRefused) {
  const TempDir dir;
  EXPECT_EQ(MappedFile::open(dir.path() / "absent").error().code(), StatusCode::not_found);
  EXPECT_EQ(MappedFile::open(dir.path()).error().code(), StatusCode::io_error);
  // A pipe must not block the opener.
  const auto pipe = dir.path() / "pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  const auto file = MappedFile::open(pipe);
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().code(), StatusCode::io_error);
  EXPECT_NE(file.error().message().find("pipe"), std::string::npos);
}

TEST(MappedFile, ReleasedPagesStayReadable) {
  const TempDir dir;
  std::string content(100'000, 'a');
  content[50'000] = 'b';
  const auto file = MappedFile::open(dir.write("file", content));
  ASSERT_TRUE(file);
  file->release_pages(file->bytes());
  file->release_pages(file->bytes().subspan(10, 9000));
  file->release_pages({});
  EXPECT_EQ(text_of(file->bytes()), content);
}

TEST(MappedFile, LoadingPagesOfACutFileIsAnErrorInsteadOfTheEnd) {
  const TempDir dir;
  const std::string content(100'000, 'a');
  const auto path = dir.write("file", content);
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->load_pages({}).ok());
  EXPECT_TRUE(file->load_pages(file->bytes()).ok());
  EXPECT_TRUE(file->load_pages(file->bytes().subspan(5'000, 10)).ok());
  EXPECT_EQ(text_of(file->bytes()), content);
  std::filesystem::resize_file(path, 10);
  EXPECT_TRUE(file->load_pages(file->bytes().first(10)).ok());
  const Status status = file->load_pages(file->bytes().subspan(50'000));
  if (status.ok()) GTEST_SKIP() << "this kernel cannot load pages of a mapping";
  EXPECT_EQ(status.code(), StatusCode::io_error);
  EXPECT_NE(status.message().find("file: cannot read bytes 49152 to 100000"), std::string::npos)
      << status.message();
}

TEST(FileReader, TellsWhenTheFileWasWritten) {
  const TempDir dir;
  const auto path = dir.write("file", "x");
  timespec times[2] = {{.tv_sec = 5, .tv_nsec = 6}, {.tv_sec = 1'700'000'000, .tv_nsec = 123}};
  ASSERT_EQ(::utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  std::filesystem::remove(path);
  EXPECT_EQ(file->reader().modified_ns().value(), 1'700'000'000'000'000'123);
}

TEST(FileReader, ReadsPartsAlsoWhenTheMappingIsGone) {
  const TempDir dir;
  const auto path = dir.write("file", "0123456789");
  FileReader reader;
  {
    const auto file = MappedFile::open(path);
    ASSERT_TRUE(file);
    reader = file->reader();
  }
  // Another file of that name does not matter.
  std::filesystem::remove(path);
  dir.write("file", "xxxxxxxxxx");
  std::string part(4, ' ');
  ASSERT_TRUE(reader.read(3, std::as_writable_bytes(std::span(part))).ok());
  EXPECT_EQ(part, "3456");
  EXPECT_TRUE(reader.read(10, {}).ok());
}

TEST(FileReader, AFileThatWasCutIsAnError) {
  const TempDir dir;
  const auto path = dir.write("file", std::string(10000, 'a'));
  const auto file = MappedFile::open(path);
  ASSERT_TRUE(file);
  std::filesystem::resize_file(path, 5000);
  std::string part(100, ' ');
  EXPECT_TRUE(file->reader().read(4900, std::as_writable_bytes(std::span(part))).ok());
  const Status cut = file->reader().read(4950, std::as_writable_bytes(std::span(part)));
  EXPECT_EQ(cut.code(), StatusCode::io_error);
  EXPECT_NE(cut.message().find("ends at byte 5000"), std::string::npos) << cut.message();
}

TEST(ReadTextFile, ReadsAndBounds) {
  const TempDir dir;
  const auto path = dir.write("file", "hello");
  EXPECT_EQ(*read_text_file(path, 5), "hello");
  const auto too_large = read_text_file(path, 4);
  ASSERT_FALSE(too_large);
  EXPECT_NE(too_large.error().message().find("5 bytes, expected at most 4"), std::string::npos);
  EXPECT_EQ(read_text_file(dir.path() / "absent", 4).error().code(), StatusCode::not_found);
}

}  // namespace
}  // namespace llm::core
