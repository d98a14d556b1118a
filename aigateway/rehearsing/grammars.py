"""What Roo takes for a definition in each language, as queries of tree-sitter.

The queries are our own and shorter than Roo's (src/services/tree-sitter/queries): names are not asked for, because what
is shorter than a segment may be is never sent. Those of Go and C++ are by analogy.
"""

from __future__ import annotations

import importlib
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from aigateway.errors import AigatewayError

if TYPE_CHECKING:
    from tree_sitter import Node, Parser, Query

#: What to do where this has not been installed.
HINT = (
    "rehearsing reads code with tree-sitter, which is not installed; "
    "run: .venv/bin/pip install --editable '.[rehearse]'"
)


@dataclass(frozen=True)
class Grammar:
    """A language: the package with its grammar, the function in it, and what is a definition."""

    package: str
    query: str
    function: str = "language"

    def find_definitions(self, source: bytes) -> list[Node]:
        """Every node that Roo would take for a definition, in order; those inside others as well."""
        parser, query = _load(self)
        # After that has seen to it that there is one.
        from tree_sitter import QueryCursor

        nodes = QueryCursor(query).captures(parser.parse(source).root_node).get("taken", [])
        return sorted(nodes, key=lambda node: (node.start_byte, -node.end_byte))


@cache
def _load(grammar: Grammar) -> tuple[Parser, Query]:
    try:
        from tree_sitter import Language, Parser, Query

        language = Language(getattr(importlib.import_module(grammar.package), grammar.function)())
    except ImportError as error:
        raise AigatewayError(HINT) from error
    return Parser(language), Query(language, grammar.query)


def _any_of(*kinds: str) -> str:
    return "[" + " ".join(f"({kind})" for kind in kinds) + "] @taken\n"


_PYTHON = _any_of(
    "class_definition",
    "decorated_definition",
    "function_definition",
    "with_statement",
    "try_statement",
    "import_from_statement",
    "import_statement",
) + (
    "(typed_parameter type: (type) @taken)"
    "(expression_statement (assignment left: (identifier) type: (type))) @taken"
    "(expression_statement (assignment left: (identifier)"
    " right: [(list_comprehension) (dictionary_comprehension) (set_comprehension)])) @taken"
)

# JSON is read with this as well.
_JAVASCRIPT = """
((comment)* @taken . [
  (method_definition) (class) (class_declaration) (function_declaration) (generator_function_declaration)
  (lexical_declaration (variable_declarator value: [(arrow_function) (function_expression)]))
  (variable_declaration (variable_declarator value: [(arrow_function) (function_expression)]))
] @taken)
(pair key: (string) value: (string) @taken)
(pair key: (string)) @taken
""" + _any_of("object", "array")

_SCRIPT_TESTS = """
(call_expression function: (identifier) @called
  arguments: (arguments (string) [(arrow_function) (function_expression)]) @taken
  (#match? @called "^(describe|test|it)$"))
"""
_SCRIPT = _SCRIPT_TESTS + _any_of(
    "function_signature",
    "method_signature",
    "abstract_method_signature",
    "abstract_class_declaration",
    "module",
    "function_declaration",
    "method_definition",
    "class_declaration",
    "arrow_function",
)
_TYPESCRIPT = (
    _SCRIPT
    + "(variable_declaration (variable_declarator value: (arrow_function))) @taken"
    + _any_of(
        "switch_statement",
        "switch_case",
        "switch_default",
        "enum_declaration",
        "internal_module",
        "interface_declaration",
        "type_alias_declaration",
        "public_field_definition",
    )
)
_TSX = (
    _SCRIPT
    + '((jsx_element (jsx_opening_element name: (identifier) @name)) @taken (#match? @name "^[A-Z]"))'
    + "(variable_declaration (variable_declarator value: (arrow_function))) @taken"
)
_JAVA = _any_of(
    "module_declaration",
    "package_declaration",
    "line_comment",
    "class_declaration",
    "interface_declaration",
    "enum_declaration",
    "record_declaration",
    "annotation_type_declaration",
    "constructor_declaration",
    "method_declaration",
    "lambda_expression",
    "field_declaration",
    "import_declaration",
)
_C_SHARP = _any_of(
    "using_directive",
    "namespace_declaration",
    "file_scoped_namespace_declaration",
    "class_declaration",
    "interface_declaration",
    "struct_declaration",
    "enum_declaration",
    "record_declaration",
    "method_declaration",
    "property_declaration",
    "event_declaration",
    "delegate_declaration",
    "attribute",
    "query_expression",
)
_RUST = _any_of(
    "function_item",
    "struct_item",
    "enum_item",
    "trait_item",
    "impl_item",
    "mod_item",
    "macro_definition",
    "attribute_item",
    "type_item",
    "const_item",
    "static_item",
    "use_declaration",
)
_GO = _any_of(
    "import_declaration",
    "const_declaration",
    "var_declaration",
    "type_declaration",
    "function_declaration",
    "method_declaration",
    "channel_type",
    "go_statement",
    "defer_statement",
    "select_statement",
)
_C = (
    "(struct_specifier body: (_)) @taken (declaration type: (union_specifier)) @taken"
    + _any_of("function_definition", "function_declarator", "type_definition", "enum_specifier")
    + "(field_declaration declarator: (field_identifier)) @taken"
)
_CPP = (
    "(struct_specifier body: (_)) @taken (class_specifier body: (_)) @taken (union_specifier body: (_)) @taken"
    + _any_of(
        "function_definition",
        "function_declarator",
        "type_definition",
        "enum_specifier",
        "namespace_definition",
        "template_declaration",
        "field_declaration",
    )
)

_SCRIPTS = Grammar("tree_sitter_javascript", _JAVASCRIPT)

#: By ending, as Roo chooses them (src/services/tree-sitter/languageParser.ts).
GRAMMARS = {
    ".py": Grammar("tree_sitter_python", _PYTHON),
    ".js": _SCRIPTS,
    ".jsx": _SCRIPTS,
    ".json": _SCRIPTS,
    ".ts": Grammar("tree_sitter_typescript", _TYPESCRIPT, "language_typescript"),
    ".tsx": Grammar("tree_sitter_typescript", _TSX, "language_tsx"),
    ".java": Grammar("tree_sitter_java", _JAVA),
    ".cs": Grammar("tree_sitter_c_sharp", _C_SHARP),
    ".rs": Grammar("tree_sitter_rust", _RUST),
    ".go": Grammar("tree_sitter_go", _GO),
    ".c": (_C_GRAMMAR := Grammar("tree_sitter_c", _C)),
    ".h": _C_GRAMMAR,
    ".cpp": (_CPP_GRAMMAR := Grammar("tree_sitter_cpp", _CPP)),
    ".hpp": _CPP_GRAMMAR,
}
