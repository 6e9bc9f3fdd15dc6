// The steps of tokenizer.json one by one, as their JSON defines them.
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/json.h"
#include "tokenizer/added_tokens.h"
#include "tokenizer/decoder.h"
#include "tokenizer/normalizer.h"
#include "tokenizer/post_processor.h"
#include "tokenizer/pre_tokenizer.h"

namespace llm::tokenizer {
namespace {

using Strings = std::vector<std::string>;

core::Json parse(const std::string& text) { return core::parse_json(text, "test").value(); }

std::string normalized(const std::string& json, const std::string& text) {
  const core::Json document = parse(json);
  const auto normalizer = parse_normalizer({document, "normalizer"});
  if (!normalizer) return "error: " + normalizer.error().message();
  NormalizedText result{text};
  MatchBuffer buffer;
  const Status status = (*normalizer)->apply(result, buffer);
  return status.ok() ? result.text : "error: " + status.message();
}

Strings words(const std::string& json, const std::string& text, bool from_start = true) {
  const core::Json document = parse(json);
  const auto steps = PreTokenizer::parse({document, "pre_tokenizer"});
  if (!steps) return {"error: " + steps.error().message()};
  Words result;
  result.text = text;
  result.from_start = from_start;
  MatchBuffer buffer;
  const Status status = steps->run(result, buffer);
  if (!status.ok()) return {"error: " + status.message()};
  Strings list;
  for (const Words::Word word : result.words) list.emplace_back(result.view(word));
  return list;
}

std::string decoded(const std::string& json, const Strings& tokens, bool continues = false) {
  const core::Json document = parse(json);
  const auto chain = DecoderChain::parse({document, "decoder"});
  if (!chain) return "error: " + chain.error().message();
  DecoderChain::Run run(*chain, continues);
  std::string text;
  for (const std::string& token : tokens) run.push(token, text);
  run.finish(text);
  return text;
}

TEST(Normalizer, Steps) {
  EXPECT_EQ(normalized(R"({"type":"Prepend","prepend":"_"})", "a"), "_a");
  EXPECT_EQ(normalized(R"({"type":"Prepend","prepend":"_"})", ""), "");
  EXPECT_EQ(normalized(R"({"type":"Replace","pattern":{"String":"."},"content":"!"})", "a.b."),
            "a!b!");
  EXPECT_EQ(
      normalized(R"({"type":"Replace","pattern":{"Regex":" +"},"content":"\u2581"})", "a  b c"),
      "a\u2581b\u2581c");
  EXPECT_EQ(normalized(R"({"type":"Lowercase"})", "A\u00C9\u0130\u03A3"), "a\u00E9i\u0307\u03C3");
  EXPECT_EQ(normalized(R"({"type":"StripAccents"})", "e\u0301a"), "ea");
  EXPECT_EQ(normalized(R"({"type":"Strip","strip_left":true,"strip_right":false})", " \u3000a "),
            "a ");
  EXPECT_EQ(normalized(R"({"type":"Strip","strip_left":false,"strip_right":true})", " a\n "), " a");
  EXPECT_EQ(normalized(R"({"type":"Strip","strip_left":true,"strip_right":true})", " \n "), "");
  EXPECT_EQ(normalized(R"({"type":"Sequence","normalizers":[{"type":"NFD"},{"type":"StripAccents"},
                          {"type":"Lowercase"}]})",
                       "\u00C4B"),
            "ab");
}

TEST(Normalizer, UnicodeForms) {
  const std::string composed = "\u00E9\u1E69\uAC01",
                    decomposed = "e\u0301s\u0323\u0307\u1100\u1161\u11A8";
  EXPECT_EQ(normalized(R"({"type":"NFC"})", decomposed), composed);
  EXPECT_EQ(normalized(R"({"type":"NFD"})", composed), decomposed);
  EXPECT_EQ(normalized(R"({"type":"NFC"})", "s\u0307\u0323"), "\u1E69");  // marks are put in order
  EXPECT_EQ(normalized(R"({"type":"NFKC"})", "\uFB01\u2460\u00E9"), "fi1\u00E9");
  EXPECT_EQ(normalized(R"({"type":"NFKD"})", "\uFB01\u00E9"), "fie\u0301");
  EXPECT_EQ(normalized(R"({"type":"NFC"})", "\u212B"), "\u00C5");
  // A long run of marks in the wrong order takes no quadratic time.
  std::string marks = "a", ordered = "a";
  for (int n = 0; n < 200000; ++n) marks += "\u0301\u0316";
  for (int n = 0; n < 200000; ++n) ordered += "\u0316";
  for (int n = 0; n < 200000; ++n) ordered += "\u0301";
  EXPECT_EQ(normalized(R"({"type":"NFD"})", marks), ordered);
}

TEST(Normalizer, Errors) {
  EXPECT_EQ(normalized(R"({"type":"Sequence","normalizers":[{"type":"NFC"},{"type":"Nmt"}]})", ""),
            "error: normalizer.normalizers[1]: unsupported type \"Nmt\"");
  EXPECT_EQ(normalized(R"({"type":"Prepend","prepend":"_","more":1})", ""),
            "error: normalizer: unknown option \"more\"");
  EXPECT_EQ(normalized(R"({"type":"Prepend"})", ""),
            "error: normalizer.prepend: expected a string, found null");
  EXPECT_EQ(
      normalized(R"({"type":"Replace","pattern":{"Regex":"("},"content":""})", "").substr(0, 26),
      "error: normalizer.pattern:");
}

TEST(PreTokenizer, SplitBehaviors) {
  const auto split = [](const std::string& behavior, bool invert = false) {
    return words(R"({"type":"Split","pattern":{"String":"-"},"behavior":")" + behavior +
                     R"(","invert":)" + (invert ? "true}" : "false}"),
                 "the-final--countdown-");
  };
  EXPECT_EQ(split("Removed"), Strings({"the", "final", "countdown"}));
  EXPECT_EQ(split("Isolated"), Strings({"the", "-", "final", "-", "-", "countdown", "-"}));
  EXPECT_EQ(split("Contiguous"), Strings({"the", "-", "final", "--", "countdown", "-"}));
  EXPECT_EQ(split("MergedWithPrevious"), Strings({"the-", "final-", "-", "countdown-"}));
  EXPECT_EQ(split("MergedWithNext"), Strings({"the", "-final", "-", "-countdown", "-"}));
  EXPECT_EQ(split("Removed", true), Strings({"-", "-", "-", "-"}));
  EXPECT_EQ(split("Isolated", true), Strings({"the", "-", "final", "-", "-", "countdown", "-"}));
  EXPECT_EQ(split("Merged"),
            Strings({"error: pre_tokenizer.behavior: unknown behaviour \"Merged\""}));
}

TEST(PreTokenizer, CharacterClasses) {
  EXPECT_EQ(words(R"({"type":"Digits","individual_digits":true})", "a12\u00BDb"),
            Strings({"a", "1", "2", "\u00BD", "b"}));
  EXPECT_EQ(words(R"({"type":"Digits","individual_digits":false})", "a12b"),
            Strings({"a", "12", "b"}));
  EXPECT_EQ(words(R"({"type":"Punctuation"})", "a,.b$\u3002"),
            Strings({"a", ",", ".", "b", "$", "\u3002"}));
  EXPECT_EQ(words(R"({"type":"Punctuation","behavior":"Contiguous"})", "a,.b"),
            Strings({"a", ",.", "b"}));
  EXPECT_EQ(words(R"({"type":"Whitespace"})", " it's \u00E9t\u00E9_1 !?"),
            Strings({"it", "'", "s", "\u00E9t\u00E9_1", "!?"}));
  EXPECT_EQ(words(R"({"type":"WhitespaceSplit"})", " it's\u3000 x\n"), Strings({"it's", "x"}));
}

TEST(PreTokenizer, Metaspace) {
  const std::string always = R"({"type":"Metaspace","replacement":"_","prepend_scheme":"always"})";
  const std::string first =
      R"({"type":"Metaspace","replacement":"_","prepend_scheme":"first","split":true})";
  EXPECT_EQ(words(always, "a  b"), Strings({"_a", "_", "_b"}));
  EXPECT_EQ(words(always, " a"), Strings({"_a"}));
  EXPECT_EQ(words(always, "_a"), Strings({"_a"}));
  EXPECT_EQ(words(first, "a b", true), Strings({"_a", "_b"}));
  EXPECT_EQ(words(first, "a b", false), Strings({"a", "_b"}));
  EXPECT_EQ(words(R"({"type":"Metaspace","replacement":"_","prepend_scheme":"never"})", "a b"),
            Strings({"a", "_b"}));
  EXPECT_EQ(words(R"({"type":"Metaspace","replacement":"_","split":false})", "a b"),
            Strings({"_a_b"}));
  // How it was said before prepend_scheme.
  EXPECT_EQ(words(R"({"type":"Metaspace","replacement":"_","add_prefix_space":false})", "a b"),
            Strings({"a", "_b"}));
  EXPECT_EQ(words(R"({"type":"Metaspace","replacement":"_","add_prefix_space":true})", "a"),
            Strings({"_a"}));
  EXPECT_EQ(
      words(
          R"({"type":"Metaspace","replacement":"_","add_prefix_space":false,"prepend_scheme":"first"})",
          "a")[0]
          .substr(0, 6),
      "error:");
  EXPECT_EQ(words(R"({"type":"Metaspace","replacement":"__"})", "a")[0],
            "error: pre_tokenizer.replacement: expected one character, found \"__\"");
  // Only the first of several words is at the start.
  EXPECT_EQ(
      words(R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},)" + first + "]}",
            "a b"),
      Strings({"_a", "b"}));
  EXPECT_EQ(
      words(R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},)" + first + "]}",
            " a b"),
      Strings({"a", "b"}));
}

TEST(PreTokenizer, ByteLevel) {
  const std::string last = R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true})";
  // As the last step, it leaves the words as bytes.
  EXPECT_EQ(words(last, "a \u00E9"), Strings({" a", " \u00E9"}));
  const core::Json document = parse(last);
  EXPECT_TRUE(PreTokenizer::parse({document, "p"})->byte_words());
  // Before other steps, these see its alphabet: "\u00B2" becomes C2 B2, and B2 is a number again.
  EXPECT_EQ(words(R"({"type":"Sequence","pretokenizers":[
                     {"type":"ByteLevel","add_prefix_space":false,"use_regex":false},
                     {"type":"Digits","individual_digits":true}]})",
                  "x\u00B2"),
            Strings({"x\u00C2", "\u00B2"}));
}

TEST(PreTokenizer, Errors) {
  EXPECT_EQ(
      words(
          R"({"type":"Sequence","pretokenizers":[{"type":"WhitespaceSplit"},{"type":"UnicodeScripts"}]})",
          "")[0],
      "error: pre_tokenizer.pretokenizers[1]: unsupported type \"UnicodeScripts\"");
  EXPECT_EQ(words(R"({"type":"WhitespaceSplit","x":0})", "")[0],
            "error: pre_tokenizer: unknown option \"x\"");
  std::string nested = R"({"type":"WhitespaceSplit"})";
  for (int depth = 0; depth < 20; ++depth)
    nested = R"({"type":"Sequence","pretokenizers":[)" + nested + "]}";
  EXPECT_EQ(words(nested, "a")[0].substr(0, 6), "error:");
  // A pile of steps that each grow the text is stopped.
  std::string pile = R"({"type":"Sequence","pretokenizers":[)";
  for (int step = 0; step < 40; ++step)
    pile += R"({"type":"ByteLevel","add_prefix_space":false,"use_regex":false},)";
  EXPECT_EQ(words(pile + R"({"type":"WhitespaceSplit"}]})", "\u00E9")[0].substr(0, 6), "error:");
}

TEST(Decoder, SentencePiece) {
  const std::string llama = R"({"type":"Sequence","decoders":[
      {"type":"Replace","pattern":{"String":"\u2581"},"content":" "},{"type":"ByteFallback"},
      {"type":"Fuse"},{"type":"Strip","content":" ","start":1,"stop":0}]})";
  EXPECT_EQ(decoded(llama, {"\u2581\u2581a", "b", "\u2581c"}), " ab c");
  EXPECT_EQ(decoded(llama, {"\u2581a"}, true), " a");
  EXPECT_EQ(decoded(llama, {"<0xE4>", "<0xBD>", "<0xA0>", "x"}), "\u4F60x");
  // One broken byte spoils the whole run.
  EXPECT_EQ(decoded(llama, {"<0x41>", "<0xE4>", "x", "<0x41>"}), "\uFFFD\uFFFDxA");
  EXPECT_EQ(decoded(llama, {"<0x20>", "<0x20>", "x"}), " x");
  EXPECT_EQ(decoded(llama, {}), "");
}

TEST(Decoder, ByteLevelFusesBytes) {
  const std::string json = R"({"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true})";
  EXPECT_EQ(decoded(json, {"\u0120a", "\u00E4\u00BD", "\u0142"}), " a\u4F60");
  EXPECT_EQ(decoded(json, {"\u00E4", "a", "\u00E4"}), "\uFFFDa\uFFFD");
  EXPECT_EQ(decoded(json, {"\u4F60"}), "\u4F60");  // outside of the alphabet: itself
}

TEST(Decoder, OthersAndErrors) {
  EXPECT_EQ(decoded("null", {"a", "b"}), "a b");
  EXPECT_EQ(decoded("null", {"a", "b"}, true), " a b");
  const std::string metaspace =
      R"({"type":"Metaspace","replacement":"_","prepend_scheme":"always"})";
  EXPECT_EQ(decoded(metaspace, {"_a", "_b"}), "a b");
  EXPECT_EQ(decoded(metaspace, {"_a", "_b"}, true), " a b");
  EXPECT_EQ(decoded(R"({"type":"Metaspace","replacement":"_","prepend_scheme":"never"})", {"_a"}),
            " a");
  // Behind Fuse there is one text, whatever the pieces were.
  const std::string fused = R"({"type":"Sequence","decoders":[{"type":"Fuse"},
      {"type":"Replace","pattern":{"String":"ab"},"content":"x"},
      {"type":"Strip","content":"-","start":2,"stop":1}]})";
  EXPECT_EQ(decoded(fused, {"-", "--a", "b", "-", "c", "-", "-"}), "-x-c-");
  EXPECT_EQ(decoded(R"({"type":"Strip","content":"-","start":1,"stop":1})", {"--a-", "-"}), "-a");
  EXPECT_EQ(decoded(R"({"type":"Sequence","decoders":[{"type":"CTC"}]})", {}),
            "error: decoder.decoders[0]: unsupported type \"CTC\"");
  EXPECT_EQ(decoded(R"({"type":"Replace","pattern":{"Regex":"a"},"content":""})", {}),
            "error: decoder.pattern: a regular expression in a decoder");
}

TEST(PostProcessor, Template) {
  const core::Json document = parse(R"({"type":"Sequence","processors":[
      {"type":"ByteLevel","add_prefix_space":true,"trim_offsets":false,"use_regex":true},
      {"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},
        {"Sequence":{"id":"A","type_id":0}},{"SpecialToken":{"id":"</s>","type_id":0}}],"pair":[],
        "special_tokens":{"<s>":{"id":"<s>","ids":[1,7],"tokens":["<s>","x"]},
                          "</s>":{"id":"</s>","ids":[2],"tokens":["</s>"]}}}]})");
  const auto processor = PostProcessor::parse({document, "post_processor"});
  ASSERT_TRUE(processor.has_value()) << processor.error().message();
  EXPECT_EQ(processor->apply({5, 6}, true), std::vector<std::int32_t>({1, 7, 5, 6, 2}));
  EXPECT_EQ(processor->apply({5, 6}, false), std::vector<std::int32_t>({5, 6}));
  EXPECT_EQ(processor->special_ids(), std::vector<std::int32_t>({1, 7, 2}));
}

TEST(PostProcessor, Errors) {
  const auto message = [](const std::string& json) {
    const core::Json document = parse(json);
    const auto result = PostProcessor::parse({document, "post_processor"});
    return result ? std::string("accepted") : result.error().message();
  };
  EXPECT_EQ(message(R"({"type":"BertProcessing","sep":["a",1],"cls":["b",2]})"),
            "post_processor: unsupported type \"BertProcessing\"");
  EXPECT_EQ(message(R"({"type":"TemplateProcessing","pair":[],"special_tokens":{},
                        "single":[{"SpecialToken":{"id":"<s>","type_id":0}}]})"),
            "post_processor.single[0].SpecialToken: \"<s>\" is not among special_tokens");
  EXPECT_EQ(message(R"({"type":"TemplateProcessing","pair":[],"special_tokens":{},
                        "single":[{"Sequence":{"id":"B","type_id":0}}]})"),
            "post_processor.single[0].Sequence: sequence \"B\" in a single text");
}

// The parts of a text, tokens as <id>.
std::string parts(const AddedTokens& tokens, const std::string& text, bool parse_special = true) {
  std::string out;
  for (const auto& part : tokens.cut(text, parse_special)) {
    if (part.id >= 0) {
      out += fmt::format("<{}>", part.id);
    } else {
      out += fmt::format("({})", text.substr(part.begin, part.end - part.begin));
    }
  }
  return out;
}

TEST(AddedTokens, LeftmostThenLongest) {
  const auto tokens = AddedTokens::build({{.id = 1, .content = "ab"},
                                          {.id = 2, .content = "abcd"},
                                          {.id = 3, .content = "bcdefg"},
                                          {.id = 4, .content = "<s>", .special = true}},
                                         nullptr)
                          .value();
  EXPECT_EQ(parts(tokens, "xabcdefg"), "(x)<2>(efg)");
  EXPECT_EQ(parts(tokens, "abc<s>ab"), "<1>(c)<4><1>");
  EXPECT_EQ(parts(tokens, "abc<s>ab", false), "<1>(c<s>)<1>");
  EXPECT_EQ(parts(tokens, ""), "");
}

TEST(AddedTokens, StripAndSingleWord) {
  const auto tokens = AddedTokens::build({{.id = 1, .content = "<l>", .lstrip = true},
                                          {.id = 2, .content = "<r>", .rstrip = true},
                                          {.id = 3, .content = "word", .single_word = true}},
                                         nullptr)
                          .value();
  EXPECT_EQ(parts(tokens, "a \u3000<l> b"), "(a)<1>( b)");
  EXPECT_EQ(parts(tokens, "a <r> \n b"), "(a )<2>(b)");
  EXPECT_EQ(parts(tokens, "<r>  <l>x"), "<2><1>(x)");  // the space is taken once
  EXPECT_EQ(parts(tokens, "word words \u00E9word word_ (word)"),
            "<3>( words \u00E9word word_ ()<3>())");
}

TEST(AddedTokens, NormalizedOnesAreSearchedNormalized) {
  const core::Json document = parse(R"({"type":"Lowercase"})");
  const auto normalizer = parse_normalizer({document, "n"}).value();
  const auto tokens =
      AddedTokens::build({{.id = 1, .content = "Yes", .normalized = true}}, normalizer.get())
          .value();
  EXPECT_EQ(parts(tokens, "yes"), "(yes)");
  EXPECT_EQ(tokens.cut_normalized("a yes", true).size(), 2u);
  EXPECT_EQ(*tokens.decoder_text(1), "yes");
  EXPECT_EQ(tokens.decoder_text(2), nullptr);
}

}  // namespace
}  // namespace llm::tokenizer
