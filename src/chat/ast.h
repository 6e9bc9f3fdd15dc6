// The syntax tree of a template. Names are resolved to slots of frames before it runs (symbols.h):
// a frame is what Jinja makes of the template itself, of a loop's body and of some other blocks.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "chat/value.h"

namespace llm::chat {

struct Filter;  // filters.h
struct Check;   // checks.h

/// Where a variable lives: `hops` frames further out, at `index`.
struct Slot {
  int hops = 0;
  int index = -1;
};

/// The variables of a frame, and where each gets its first value when the frame is entered.
struct FrameLayout {
  enum class Source : std::uint8_t {
    parameter,  ///< given by whoever enters the frame
    context,    ///< the variable that was passed to the template
    outer,      ///< a copy of the outer frame's
    nothing,
  };
  struct Variable {
    std::string name;
    Source source = Source::nothing;
    Slot outer;  ///< of Source::outer, seen from this frame
  };
  std::vector<Variable> variables;

  /// Index of a variable, or -1.
  int find(std::string_view name) const;
};

struct Expression {
  enum class Kind : std::uint8_t {
    constant,
    name,
    list,
    tuple,
    mapping,
    attribute,
    subscript,
    slice,
    call,
    filter,
    check,
    negate,
    plus,
    logical_not,
    logical_and,
    logical_or,
    arithmetic,
    compare,
    concatenate,
    conditional,
  };

  Expression(Kind kind_, int line_) : kind(kind_), line(line_) {}
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;
  virtual ~Expression() = default;

  const Kind kind;
  const int line;
  int depth = 1;  ///< nodes from here to the deepest leaf
};
using ExpressionPtr = std::unique_ptr<Expression>;

struct ConstantExpression : Expression {
  ConstantExpression(int line_, Value value_)
      : Expression(Kind::constant, line_), value(std::move(value_)) {}
  Value value;
};

struct NameExpression : Expression {
  NameExpression(int line_, std::string name_)
      : Expression(Kind::name, line_), name(std::move(name_)) {}
  std::string name;
  Slot slot;
};

/// list, tuple, concatenate (of at least two), logical and / or (of two), negate, plus,
/// logical_not.
struct GroupExpression : Expression {
  using Expression::Expression;
  std::vector<ExpressionPtr> items;
};

struct MappingExpression : Expression {
  explicit MappingExpression(int line_) : Expression(Kind::mapping, line_) {}
  std::vector<std::pair<ExpressionPtr, ExpressionPtr>> entries;
};

struct AttributeExpression : Expression {
  explicit AttributeExpression(int line_) : Expression(Kind::attribute, line_) {}
  ExpressionPtr object;
  std::string name;
};

struct SubscriptExpression : Expression {
  explicit SubscriptExpression(int line_) : Expression(Kind::subscript, line_) {}
  ExpressionPtr object;
  ExpressionPtr index;
};

/// object[start:stop:step], each of which may be null.
struct SliceExpression : Expression {
  explicit SliceExpression(int line_) : Expression(Kind::slice, line_) {}
  ExpressionPtr object;
  ExpressionPtr start;
  ExpressionPtr stop;
  ExpressionPtr step;
};

struct ArgumentList {
  std::vector<ExpressionPtr> positional;
  std::vector<std::pair<std::string, ExpressionPtr>> named;
  ExpressionPtr more_positional;  ///< *args
  ExpressionPtr more_named;       ///< **kwargs
};

struct CallExpression : Expression {
  explicit CallExpression(int line_) : Expression(Kind::call, line_) {}
  ExpressionPtr callee;
  ArgumentList arguments;
};

struct FilterExpression : Expression {
  explicit FilterExpression(int line_) : Expression(Kind::filter, line_) {}
  ExpressionPtr input;  ///< null: the text that the enclosing block captured
  std::string name;
  const Filter* filter = nullptr;  ///< null: there is none of that name
  ArgumentList arguments;
};

/// input is name(arguments)
struct CheckExpression : Expression {
  explicit CheckExpression(int line_) : Expression(Kind::check, line_) {}
  ExpressionPtr input;
  std::string name;
  const Check* check = nullptr;  ///< null: there is none of that name
  ArgumentList arguments;
};

struct ArithmeticExpression : Expression {
  enum class Operator : std::uint8_t {
    add,
    subtract,
    multiply,
    divide,
    floor_divide,
    modulo,
    power
  };
  ArithmeticExpression(int line_, Operator op_) : Expression(Kind::arithmetic, line_), op(op_) {}
  Operator op;
  ExpressionPtr left;
  ExpressionPtr right;
};

/// first op operand op operand ..., each operand compared with the one before it.
struct CompareExpression : Expression {
  enum class Operator : std::uint8_t {
    equal,
    not_equal,
    less,
    less_equal,
    greater,
    greater_equal,
    in,
    not_in
  };
  explicit CompareExpression(int line_) : Expression(Kind::compare, line_) {}
  ExpressionPtr first;
  std::vector<std::pair<Operator, ExpressionPtr>> rest;
};

struct ConditionalExpression : Expression {
  explicit ConditionalExpression(int line_) : Expression(Kind::conditional, line_) {}
  ExpressionPtr condition;
  ExpressionPtr then;
  ExpressionPtr otherwise;  ///< null: undefined
};

struct Statement {
  enum class Kind : std::uint8_t {
    text,
    output,
    branch,
    loop,
    assign,
    capture,
    macro,
    call_block,
    generation,
    filter_block,
    with,
    break_loop,
    continue_loop,
  };

  Statement(Kind kind_, int line_) : kind(kind_), line(line_) {}
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  virtual ~Statement() = default;

  const Kind kind;
  const int line;
};
using Body = std::vector<std::unique_ptr<Statement>>;

struct TextStatement : Statement {
  TextStatement(int line_, std::string text_)
      : Statement(Kind::text, line_), text(std::move(text_)) {}
  std::string text;
};

struct OutputStatement : Statement {
  explicit OutputStatement(int line_) : Statement(Kind::output, line_) {}
  std::vector<ExpressionPtr> values;
};

/// if, elif ..., else (whose condition is null)
struct BranchStatement : Statement {
  explicit BranchStatement(int line_) : Statement(Kind::branch, line_) {}
  struct Arm {
    ExpressionPtr condition;
    Body body;
  };
  std::vector<Arm> arms;
};

/// What is assigned to: a name, an attribute of a namespace, or several of them.
struct Target {
  enum class Kind : std::uint8_t { name, attribute, tuple };
  Kind kind = Kind::name;
  int line = 0;
  std::string name;
  std::string attribute;
  Slot slot;  ///< of the name (of an attribute: of the namespace)
  std::vector<Target> items;
};

struct LoopStatement : Statement {
  explicit LoopStatement(int line_) : Statement(Kind::loop, line_) {}
  Target target;
  ExpressionPtr iterable;
  ExpressionPtr condition;  ///< may be null
  bool recursive = false;
  Body body;
  Body otherwise;
  FrameLayout condition_frame;
  Target condition_target;  ///< `target` in that frame
  FrameLayout frame;
  FrameLayout otherwise_frame;
  int loop_index = -1;  ///< of `loop` in `frame`; -1: not used
};

struct AssignStatement : Statement {
  explicit AssignStatement(int line_) : Statement(Kind::assign, line_) {}
  Target target;
  ExpressionPtr value;
};

/// {% set target | filter %}body{% endset %}
struct CaptureStatement : Statement {
  explicit CaptureStatement(int line_) : Statement(Kind::capture, line_) {}
  Target target;
  ExpressionPtr filter;  ///< may be null
  Body body;
  FrameLayout frame;
};

/// What macros and the bodies of call blocks have in common.
struct Procedure {
  std::string name;  ///< empty for call blocks
  std::vector<std::string> parameters;
  std::vector<ExpressionPtr> defaults;  ///< of the last parameters
  Body body;
  FrameLayout frame;
  std::vector<int> parameter_index;  ///< in `frame`
  int caller_index = -1;             ///< -1: not used, or a parameter like any other
  int varargs_index = -1;
  int kwargs_index = -1;
};

struct MacroStatement : Statement {
  explicit MacroStatement(int line_) : Statement(Kind::macro, line_) {}
  Procedure procedure;
  Slot slot;
};

struct CallBlockStatement : Statement {
  explicit CallBlockStatement(int line_) : Statement(Kind::call_block, line_) {}
  Procedure procedure;
  std::unique_ptr<CallExpression> call;
};

/// {% generation %}: marks what the assistant wrote, for training; here its body and nothing more.
struct GenerationStatement : Statement {
  explicit GenerationStatement(int line_) : Statement(Kind::generation, line_) {}
  Body body;
  FrameLayout frame;
};

struct FilterBlockStatement : Statement {
  explicit FilterBlockStatement(int line_) : Statement(Kind::filter_block, line_) {}
  ExpressionPtr filter;
  Body body;
  FrameLayout frame;
};

struct WithStatement : Statement {
  explicit WithStatement(int line_) : Statement(Kind::with, line_) {}
  std::vector<Target> targets;
  std::vector<ExpressionPtr> values;
  Body body;
  FrameLayout frame;
};

/// break or continue
struct JumpStatement : Statement {
  using Statement::Statement;
};

/// A parsed template.
struct Program {
  Body body;
  FrameLayout frame;
};

}  // namespace llm::chat
