#include "tokenizer/bpe_model.h"

#include <algorithm>

#include "core/error.h"
#include "core/quote.h"
#include "tokenizer/byte_level.h"
#include "tokenizer/hash.h"
#include "tokenizer/utf8.h"

namespace llm::tokenizer {
namespace {

// Whether a text is one character.
bool is_char(std::string_view text) { return !text.empty() && utf8_length(text[0]) == text.size(); }

}  // namespace

Result<std::unique_ptr<BpeModel>> BpeModel::build(const TokenTable& vocabulary,
                                                  const std::vector<MergeTexts>& merges,
                                                  BpeOptions options, std::string_view what) {
  std::unique_ptr<BpeModel> model(new BpeModel(vocabulary, std::move(options)));
  LLM_RETURN_IF_ERROR(model->add_merges(merges, what));
  LLM_RETURN_IF_ERROR(model->set_symbols(what));
  model->start(vocabulary.size(), model->find_breaks(merges));
  return model;
}

Status BpeModel::add_merges(const std::vector<MergeTexts>& merges, std::string_view what) {
  merges_ = MergeTable(merges.size());
  std::string merged;
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    merged.assign(left).append(right);
    const std::int32_t left_id = vocabulary_.find(left);
    const std::int32_t right_id = vocabulary_.find(right);
    const std::int32_t id = vocabulary_.find(merged);
    if (left_id < 0 || right_id < 0 || id < 0) {
      const std::string_view missing = left_id < 0    ? left
                                       : right_id < 0 ? right
                                                      : std::string_view(merged);
      return core::corrupt_data("{}: merges[{}] ({} and {}): {} is not in the vocabulary", what,
                                rank, core::quote(left), core::quote(right), core::quote(missing));
    }
    merges_.set(left_id, right_id, {static_cast<std::uint32_t>(rank), id});
  }
  return Status();
}

Status BpeModel::set_symbols(std::string_view what) {
  has_every_byte_ = options_.byte_words;
  for (unsigned byte = 0; byte < 256; ++byte) {
    byte_symbols_[byte] = vocabulary_.find(to_utf8(byte_to_char(static_cast<std::uint8_t>(byte))));
    fallback_[byte] = vocabulary_.find(fmt::format("<0x{:02X}>", byte));
    has_every_byte_ = has_every_byte_ && byte_symbols_[byte] >= 0;
  }
  for (std::int32_t id = 0; id < vocabulary_.size(); ++id) {
    const std::string_view text = vocabulary_.text(id);
    if (is_char(text)) chars_.set(decode_valid_utf8(text.data(), text.size()), id);
  }
  if (options_.unknown_token) {
    unknown_id_ = vocabulary_.find(*options_.unknown_token);
    // A vocabulary with a token for every byte never needs it.
    if (unknown_id_ < 0 && !has_every_byte_) {
      return core::corrupt_data("{}: unk_token {} is not in the vocabulary", what,
                                core::quote(*options_.unknown_token));
    }
  }
  if (!options_.byte_words) return Status();
  if (has_every_byte_) {
    byte_merges_.reserve(256 * 256);
    for (const std::int32_t left : byte_symbols_) {
      for (const std::int32_t right : byte_symbols_) {
        byte_merges_.push_back(merges_.find(left, right));
      }
    }
  }
  std::vector<std::pair<std::string, std::int32_t>> bytes;
  for (std::int32_t id = 0; id < vocabulary_.size(); ++id) {
    if (auto one = alphabet_to_bytes(vocabulary_.text(id)); one && !one->empty()) {
      bytes.emplace_back(std::move(*one), id);
    }
  }
  std::vector<TokenTable::Entry> entries;
  entries.reserve(bytes.size());
  for (const auto& [text, id] : bytes) entries.push_back({text, id});
  LLM_ASSIGN_OR_RETURN(by_bytes_, TokenTable::build(entries, what));
  return Status();
}

// Byte words are short, they come from a pre-split; text without one is as long as it is.
std::optional<WordBreaks> BpeModel::find_breaks(const std::vector<MergeTexts>& merges) const {
  if (options_.byte_words) return std::nullopt;
  WordBreaks breaks;
  for (const auto& [left, right] : merges) breaks.add_merge(left, right);
  const bool every_fallback =
      options_.byte_fallback &&
      std::all_of(fallback_.begin(), fallback_.end(), [](std::int32_t id) { return id >= 0; });
  breaks.finish(&chars_, options_.unknown_token.value_or(""),
                /*vanish=*/unknown_id_ < 0 && !every_fallback);
  return breaks;
}

std::int32_t BpeModel::whole_word(std::string_view word) const {
  return by_bytes_ ? by_bytes_->find(word) : vocabulary_.find(word);
}

// The row of symbols that merging starts from.
void BpeModel::add_symbols(std::string_view word, std::vector<Symbol>& symbols) const {
  Symbol unknown{0, 0, -1};  // not yet added: more may be fused into it
  const auto flush_unknown = [&] {
    if (unknown.bytes > 0) symbols.push_back(unknown);
    unknown.bytes = 0;
  };
  const auto add = [&](std::int32_t id, std::size_t begin, std::size_t bytes) {
    symbols.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(bytes), id});
  };
  // A character without a token of its own. Byte tokens do not end a row of unknown characters;
  // that order is part of the format's behaviour.
  const auto add_missing = [&](std::string_view spelling, std::size_t begin, std::size_t bytes) {
    if (options_.byte_fallback) {
      bool complete = true;
      for (const char c : spelling)
        complete = complete && fallback_[static_cast<std::uint8_t>(c)] >= 0;
      if (complete) {
        for (const char c : spelling) add(fallback_[static_cast<std::uint8_t>(c)], begin, 1);
        return;
      }
    }
    if (unknown_id_ < 0) return;
    if (!options_.fuse_unknown) flush_unknown();
    if (unknown.bytes == 0) unknown = {static_cast<std::uint32_t>(begin), 0, unknown_id_};
    unknown.bytes += static_cast<std::uint32_t>(bytes);
  };

  if (options_.byte_words) {
    for (std::size_t at = 0; at < word.size(); ++at) {
      const auto byte = static_cast<std::uint8_t>(word[at]);
      if (const std::int32_t id = byte_symbols_[byte]; id >= 0) {
        flush_unknown();
        add(id, at, 1);
      } else {
        add_missing(to_utf8(byte_to_char(byte)), at, 1);
      }
    }
  } else {
    for (std::size_t at = 0; at < word.size();) {
      const std::size_t length = utf8_length(word[at]);
      const std::string_view spelling = word.substr(at, length);
      const std::int32_t id = chars_[decode_valid_utf8(spelling.data(), length)];
      if (id >= 0) {
        flush_unknown();
        add(id, at, length);
      } else {
        add_missing(spelling, at, length);
      }
      at += length;
    }
  }
  flush_unknown();
}

void BpeModel::merge_word(std::string_view word, MergeScratch& scratch,
                          std::vector<std::int32_t>& ids) const {
  std::vector<Symbol>& symbols = scratch.symbols;
  symbols.clear();
  const auto find_merge = [this](const Symbol& left, const Symbol& right) {
    return merges_.find(left.id, right.id);
  };
  if (has_every_byte_) {
    for (std::size_t at = 0; at < word.size(); ++at) {
      symbols.push_back(
          {static_cast<std::uint32_t>(at), 1, byte_symbols_[static_cast<std::uint8_t>(word[at])]});
    }
    const auto find_byte_merge = [this, word](const Symbol& left, const Symbol& right) {
      return byte_merges_[std::size_t{static_cast<std::uint8_t>(word[left.begin])} << 8 |
                          static_cast<std::uint8_t>(word[right.begin])];
    };
    merge_symbols(scratch, find_byte_merge, find_merge);
  } else {
    add_symbols(word, symbols);
    merge_symbols(scratch, find_merge, find_merge);
  }
  for (const Symbol& one : symbols) ids.push_back(one.id);
}

}  // namespace llm::tokenizer
