"""What mkdocstrings shows: the names that `dir()` shows, and the signatures of layers, which a decorator makes."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from typing import Any

from griffe import Class, Extension, Function, Module, Object, Parameter, ParameterKind, Parameters

KINDS = {
    inspect.Parameter.POSITIONAL_ONLY: ParameterKind.positional_only,
    inspect.Parameter.POSITIONAL_OR_KEYWORD: ParameterKind.positional_or_keyword,
    inspect.Parameter.VAR_POSITIONAL: ParameterKind.var_positional,
    inspect.Parameter.KEYWORD_ONLY: ParameterKind.keyword_only,
    inspect.Parameter.VAR_KEYWORD: ParameterKind.var_keyword,
}


class Public(Extension):
    """Looks at the classes themselves, as far as text does not tell."""

    def on_instance(self, *, obj: Object, **_: Any) -> None:
        """Our docstrings say `Example:`; griffe knows the plural as code that is run."""
        if obj.docstring:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)

    def on_package(self, *, pkg: Module, **_: Any) -> None:
        """Walks through the package, when all of it is read."""
        if pkg.path == "archbudget":
            for module in _modules(pkg):
                for each in list(module.classes.values()):
                    if not each.is_alias:
                        _show(each)


def _modules(module: Module) -> list[Module]:
    inner = [each for each in module.modules.values() if not each.is_alias]
    return [module, *(found for each in inner for found in _modules(each))]


def _show(shown: Class) -> None:
    made = getattr(_imported(shown.module.path), shown.name, None)
    if not inspect.isclass(made) or made.__module__ != shown.module.path:
        return
    _hide(shown, made)
    if any("layer_class" in str(each.value) for each in shown.decorators):
        # The bases of a layer have its other arguments; it is listed by itself.
        for name in [name for name, each in shown.members.items() if each.is_attribute]:
            del shown.members[name]
        shown.bases = []
        parameters = [Parameter("self", kind=ParameterKind.positional_or_keyword)]
        parameters += [
            Parameter(
                each.name,
                annotation=str(each.annotation) if each.annotation is not each.empty else None,
                kind=KINDS[each.kind],
                default=repr(each.default) if each.default is not each.empty else None,
            )
            for each in inspect.signature(made).parameters.values()
        ]
        shown.set_member("__init__", Function("__init__", parameters=Parameters(*parameters)))


def _imported(path: str) -> Any:
    try:
        return import_module(path)
    except ImportError:  # What asks for a package that is not installed here.
        return None


def _hide(shown: Class, made: type) -> None:
    face = set(dir(made))
    fields = set(getattr(made, "__dataclass_fields__", ())) | set(inspect.get_annotations(made))
    for name in list(shown.members):
        if not name.startswith("_") and name not in face | fields:
            del shown.members[name]
