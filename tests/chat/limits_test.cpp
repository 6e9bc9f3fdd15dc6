// What a template cannot do: take all the time or memory, end the program, leave the sandbox.
#include "chat/support.h"

namespace llm::chat {
namespace {

using ::testing::Test;

bool mentions(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

TEST(TemplateLimits, Time) {
  const std::string loops =
      "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}";
  EXPECT_TRUE(mentions(error_of(loops), "more than 50000000 steps"));
  EXPECT_TRUE(mentions(error_of("{% for a in range(2000) %}x{% endfor %}", "{}", {.steps = 1000}),
                       "more than 1000 steps"));
  // Long texts cost steps as well.
  EXPECT_TRUE(mentions(
      error_of("{% set s = 'ab' * 1000000 %}{% for a in range(90000) %}{{ 'c' in s }}{% endfor %}"),
      "steps"));
}

TEST(TemplateLimits, TwoGraphsThatShareTheirPartsAreComparedWithinLimits) {
  const std::string double_nested =
      "{% set a = namespace(x=[1]) %}{% set b = namespace(x=[1]) %}{% for i in range(60) %}"
      "{% set a.x = [a.x, a.x] %}{% set b.x = [b.x, b.x] %}{% endfor %}";
  EXPECT_TRUE(mentions(error_of(double_nested + "{{ a.x == b.x }}"), "steps"));
  EXPECT_TRUE(mentions(error_of(double_nested + "{{ a.x }}"), "the template"));
  EXPECT_TRUE(mentions(error_of(double_nested + "{{ a.x | tojson }}"), "the template"));
  const std::string as_keys =
      "{% set a = namespace(x=(1,)) %}{% set b = namespace(x=(1,)) %}{% for i in range(60) %}"
      "{% set a.x = (a.x, a.x) %}{% set b.x = (b.x, b.x) %}{% endfor %}{{ {a.x: 1, b.x: 2} }}";
  EXPECT_TRUE(mentions(error_of(as_keys), "the template"));
}

TEST(TemplateLimits, Memory) {
  for (const char* large :
       {"{{ 'a' * 10 ** 9 }}", "{{ [0] * 10 ** 9 }}", "{{ 'a' * 2 ** 62 }}", "{{ 'ab' * 2 ** 62 }}",
        "{% set ns = namespace(s='ab') %}{% for i in range(40) %}{% set ns.s = ns.s + ns.s %}"
        "{% endfor %}",
        "{% set ns = namespace(s=[1]) %}{% for i in range(40) %}{% set ns.s = ns.s + ns.s %}"
        "{% endfor %}",
        "{{ 'x'.ljust(10 ** 12) }}", "{{ 'x'.center(2 ** 62, '!') }}", "{{ 'x'.zfill(10 ** 11) }}",
        "{{ '%999999999d' % 1 }}", "{{ '{:>2000000000}'.format(1) }}",
        "{{ '\t'.expandtabs(10**12) }}",
        "{{ ('a' * 1000000).replace('a', 'b' * 1000000) | length }}",
        "{{ ('b' * 100000).join(('a' * 100000) | list) | length }}", "{{ 'x' | indent(10 ** 12) }}",
        "{{ [1] | tojson(indent=10 ** 12) }}", "{{ [1] | batch(10 ** 12, 0) | list }}",
        "{{ [1] | slice(10 ** 12) | list }}", "{{ 'x' | center(10 ** 12) }}"}) {
    const auto text = render(large);
    ASSERT_FALSE(text.has_value()) << large;
    EXPECT_EQ(text.error().code(), StatusCode::resource_exhausted)
        << large << text.error().message();
  }
  EXPECT_TRUE(mentions(error_of("{{ range(10 ** 12) }}"), "Range too big"));
  EXPECT_TRUE(mentions(error_of("{{ range(-(2 ** 62), 2 ** 62) }}"), "Range too big"));
  // What is let go is given back: only what lives at once counts.
  EXPECT_EQ(rendered("{% for i in range(400) %}{% set s = 'a' * 1000000 %}{% endfor %}ok"), "ok");
}

TEST(TemplateLimits, Output) {
  EXPECT_TRUE(mentions(
      error_of("{% for i in range(1000) %}0123456789{% endfor %}", "{}", {.output_bytes = 5000}),
      "writes more than 5000 bytes"));
}

TEST(TemplateLimits, Depth) {
  const std::string endless = "{% macro m(n) %}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}";
  EXPECT_TRUE(mentions(error_of(endless), "nested too deeply"));
  const std::string loop =
      "{% set ns = namespace() %}{% set ns.l = [1] %}{% for x in ns.l recursive %}{{ loop(ns.l) }}"
      "{% endfor %}";
  EXPECT_TRUE(mentions(error_of(loop), "nested too deeply"));
  EXPECT_TRUE(mentions(
      error_of("{% set ns = namespace(x=[]) %}{% for i in range(1000) %}{% set ns.x = [ns.x] %}"
               "{% endfor %}"),
      "nested deeper than 150 levels"));
  const std::string chain =
      "{% set ns = namespace(x=none) %}{% for i in range(20000) %}"
      "{% set ns.x = namespace(x=ns.x) %}{% endfor %}";
  EXPECT_EQ(rendered(chain + "ok"), "ok") << "a long chain of namespaces is taken apart";
  EXPECT_TRUE(mentions(error_of(chain + "{{ ns }}"), "too deep"));
  EXPECT_TRUE(mentions(error_of("{% set ns = namespace() %}{% set ns.me = ns %}{{ ns }}"), "deep"));
}

TEST(TemplateLimits, DeepSourcesAreRefused) {
  const auto repeat = [](std::string_view part) {
    std::string text;
    for (int i = 0; i < 100000; ++i) text += part;
    return text;
  };
  for (const std::string& source :
       {"{{ " + repeat("(") + " }}", "{{ " + repeat("[") + " }}", "{{ " + repeat("-") + "1 }}",
        "{{ " + repeat("not ") + "1 }}", "{{ " + repeat("{1:") + " }}", repeat("{% if 1 %}"),
        "{{ 1" + repeat("+1") + " }}", "{{ x" + repeat(".a") + " }}",
        "{{ x" + repeat("|trim") + " }}", "{{ x" + repeat("[1") + " }}",
        "{{ f" + repeat("(f") + " }}", "{% set " + repeat("(") + " %}",
        "{{ 1" + repeat(" if 1 else 1") + " }}"}) {
    EXPECT_FALSE(render(source).has_value()) << source.substr(0, 30);
  }
  // A chain of ~ or of comparisons is one node.
  EXPECT_EQ(rendered("{{ 1" + std::string("~1~1~1") + " }}"), "1111");
}

TEST(TemplateSandbox, ListsAndDictsCannotBeChanged) {
  for (const char* change :
       {"{{ x.append(1) }}", "{{ x.pop() }}", "{{ x.sort() }}", "{{ d.update({}) }}",
        "{{ d.clear() }}", "{% set _ = d.pop('a') %}", "{{ d.setdefault('b', 1) }}"}) {
    EXPECT_TRUE(mentions(error_of(change, R"({"x":[1],"d":{"a":1}})"), "unsafe")) << change;
  }
  EXPECT_EQ(rendered("{{ x.append is defined }}", R"({"x":[1]})"), "False");
}

TEST(TemplateSandbox, InternalAttributesAreHidden) {
  EXPECT_TRUE(mentions(error_of("{{ ''.__class__.__mro__ }}"), "unsafe"));
  EXPECT_TRUE(mentions(error_of("{{ messages.__class__() }}", R"({"messages":[]})"), "unsafe"));
  EXPECT_EQ(rendered("[{{ ''.__class__ }}]"), "[]");
  EXPECT_EQ(rendered("{{ d._x }}", R"({"d":{"_x":1}})"), "1") << "an item is no attribute";
  EXPECT_TRUE(mentions(error_of("{% set ns = namespace(_x=1) %}"), "underscore"));
}

}  // namespace
}  // namespace llm::chat
