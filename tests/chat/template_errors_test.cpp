// Errors name the template and the line.
#include "chat/support.h"

namespace llm::chat {
namespace {

TEST(TemplateErrors, NameSourceAndLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"a\n{% if x %}\nb", "line 2: the block is not closed: expected endif"},
      {"{{ 1 +\n }}", "line 2: expected an expression, found }}"},
      {"\n\n{{ 'abc }}", "line 3: the string is not closed: expected '"},
      {"{% nosuch %}", "line 1: unknown tag \"nosuch\""},
      {"\n{% include 'x' %}", "line 2: the tag 'include' is not supported in chat templates"},
      {"{% extends 'x' %}", "line 1: the tag 'extends' is not supported in chat templates"},
      {"{% import 'x' as y %}", "line 1: the tag 'import' is not supported in chat templates"},
      {"{% do x.append(1) %}", "line 1: unknown tag \"do\""},
      {"{{ (1] }}", "line 1: unexpected ']', expected ')'"},
      {"{{ x ! y }}", "line 1: unexpected character \"!\""},
      {"{{ x | nosuch }}", "line 1: there is no filter \"nosuch\""},
      {"{{ x | urlize }}", "line 1: the filter 'urlize' is not supported"},
      {"{{ x is nosuch }}", "line 1: there is no test \"nosuch\""},
      {"{% break %}", "line 1: 'break' outside of a loop"},
      {"{% for x in y %}{% macro m() %}{% continue %}{% endmacro %}{% endfor %}",
       "line 1: 'continue' outside of a loop"},
      {"{{ f(a=1, a=2) }}", "line 1: the argument 'a' is given twice"},
      {"{{ '\\ud83d' }}", "line 1: \\ud83d is not a character"},
      {"{# open", "line 1: the comment is not closed: expected #}"},
      {"{% raw %} open", "line 1: raw is not closed: expected {% endraw %}"},
      {"\xff", "line 1: the template is not valid UTF-8"},
      {"x\n\n{{ missing.attribute }}", "line 3: 'missing' is undefined"},
      {"{{ {}.a.b }}", "line 1: 'dict object' has no attribute 'a'"},
      {"{{ 'a' + 1 }}", "line 1: can only concatenate str (not \"int\") to str"},
      {"{{ none + 'a' }}", "line 1: unsupported operand type(s) for +: 'NoneType' and 'str'"},
      {"\n{{ 1 // 0 }}", "line 2: integer division or modulo by zero"},
      {"{{ raise_exception('no \\n system') }}", "line 1: no   system"},
      {"{% for x in 1 %}{% endfor %}", "line 1: 'int' object is not iterable"},
      {"{{ 2 ** 64 }}", "line 1: the result is an integer of more than 64 bits"},
      {"{{ 99999999999999999999 }}", "line 1: an integer of more than 64 bits"},
      // The line of the innermost node that failed, in a macro called from elsewhere.
      {"{% macro m() %}\n{{ 1 / 0 }}\n{% endmacro %}\n\n{{ m() }}", "line 2: division by zero"},
  };
  for (const auto& [source, message] : cases) {
    EXPECT_EQ(error_of(source), std::string("test.jinja: ") + message) << source;
  }
}

TEST(TemplateErrors, FiltersThatAreMissingMayStandBehindACondition) {
  EXPECT_EQ(rendered("{% if 'nosuch' is filter %}{{ 1 | nosuch }}{% else %}none{% endif %}"),
            "none");
  EXPECT_EQ(error_of("{% if true %}{{ 1 | nosuch }}{% endif %}"),
            "test.jinja: line 1: there is no filter \"nosuch\"");
}

TEST(TemplateErrors, MessagesStayShort) {
  const std::string name(5000, 'n');
  EXPECT_LT(error_of("{% " + name + " %}").size(), 200U);
  EXPECT_LT(error_of("{{ x." + name + ".y }}", R"({"x":{}})").size(), 300U);
}

}  // namespace
}  // namespace llm::chat
