// The clock of tests, as in tools/fixtures/hf_template.py: Thursday, 26 November 2026, 09:08:07.
#pragma once

#include <ctime>

namespace llm::chat {

inline std::tm fixed_time() {
  std::tm time{};
  time.tm_year = 126;
  time.tm_mon = 10;
  time.tm_mday = 26;
  time.tm_hour = 9;
  time.tm_min = 8;
  time.tm_sec = 7;
  time.tm_wday = 4;
  time.tm_yday = 329;
  return time;
}

}  // namespace llm::chat
