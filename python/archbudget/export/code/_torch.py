"""Source text that builds a network in PyTorch.

It is read from the module that the exporter makes, without memory for its weights. Modules of `torch.nn` are written by
the arguments that they keep; the classes of the exporter, for what PyTorch has not, by their own source. What was
written is run once, again without memory, and its modules are compared with those that were read.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import sys
import textwrap
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from archbudget._message import listed
from archbudget.errors import SpaceError
from archbudget.export.code._keras import imported, target
from archbudget.export.code._loops import Statement, free_name, tensor_names, written
from archbudget.export.code._text import STEP, WIDTH, Made, Node, Own, Raw, Set, Value, heading
from archbudget.export.torch import _given, _recurrent, build_with_customs
from archbudget.export.torch._module import graph_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from archbudget.export.torch._given import Custom
    from archbudget.export.torch._module import Network as Module
    from archbudget.network import Network

OURS = "archbudget."
"""Where the classes are whose sources the text has."""
IMPORTS = {
    "Any": "from typing import Any",
    "Callable": "from collections.abc import Callable",
    "ClassVar": "from typing import ClassVar",
    "F": "import torch.nn.functional as F",
    "Iterator": "from collections.abc import Iterator",
    "Mapping": "from collections.abc import Mapping",
    "NDArray": "from numpy.typing import NDArray",
    "NamedTuple": "from typing import NamedTuple",
    "OrderedDict": "from collections import OrderedDict",
    "Sequence": "from collections.abc import Sequence",
    "Union": "from typing import Union",
    "functional_call": "from torch.func import functional_call",
    "isqrt": "from math import isqrt",
    "math": "import math",
    "nn": "from torch import nn",
    "np": "import numpy as np",
    "reduce": "from functools import reduce",
    "torch": "import torch",
}
"""What the text imports, by name; each file of the exporter has it under the same."""
HELPERS = {
    "row": """def row(*modules: nn.Module, **named: nn.Module) -> nn.Sequential:
    \"\"\"Modules that follow each other, under their names if they have some.\"\"\"
    return nn.Sequential(OrderedDict(named)) if named else nn.Sequential(*modules)""",
    "frozen": """def frozen(module: nn.Module) -> nn.Module:
    \"\"\"A module that is not trained.\"\"\"
    return module.requires_grad_(False)""",
    "without": """def without(module: nn.Module, parameter: str) -> nn.Module:
    \"\"\"A module without one of its parameters.\"\"\"
    module.register_parameter(parameter, None)
    return module""",
}
"""What makes the modules of the text readable."""
RESERVED = {*IMPORTS, *HELPERS, "Network", "model", "self"}
MOST_VALUES = 4096
"""The most fixed numbers that a text has for one module."""
RECURRENT = ("input_size", "hidden_size", "num_layers", "bias", "batch_first", "dropout", "bidirectional", "proj_size")
"""The arguments of PyTorch's recurrent layers, whose signatures do not name them."""


class _RefusalError(Exception):
    """Why a module cannot be written."""


def write(network: Network) -> str:
    """The source text of a network in PyTorch.

    Raises:
        SpaceError: If it has layers that cannot be written, with all of them.
    """
    module, customs = build_with_customs(network)
    writer = _Writer(network, module, customs)
    text = writer.text()
    if not writer.problems:
        with torch.device("meta"):
            found: dict[str, Any] = {}
            exec(compile(text, "<to_code>", "exec"), found)
        made = found["model"]
        for name, own in module.named_children():
            if _state(own) != _state(getattr(made, name)):
                writer.refuse("it keeps more than it is made with", name)
    if writer.problems:
        each = "; ".join(f"{listed(names)}: {why}" for why, names in writer.problems.items())
        raise SpaceError(f"to_code cannot write {each}; to_torch() builds such layers, and so does to_code('keras')")
    return text


class _Writer:
    """Writes the text of one module."""

    def __init__(self, network: Network, module: Module, customs: Mapping[nn.Module, Custom]) -> None:
        self.network = network
        self.module = module
        self.customs = customs
        self.graph = graph_of(module)
        self.problems: dict[str, list[str]] = {}
        """The names of the modules that cannot be written, by the reasons."""
        self.parts: dict[str, str] = {}
        """The sources of the classes and functions of the text, by name; those that others need first."""
        self.taken: dict[str, Any] = {}
        """What these are in the exporter."""
        self.imports = {"nn", "torch"}
        self.modules: set[str] = set()
        """The modules that have the classes of users, and what makes them."""
        self.paths: dict[nn.Module, str] = {}
        """The modules that are made, by the paths under which `self` has them."""

    def refuse(self, why: str, name: str) -> None:
        """Notes why a module cannot be written."""
        names = self.problems.setdefault(why, [])
        if name not in names:
            names.append(name)

    def text(self) -> str:
        """The whole text."""
        made = []
        for name, child in self.module.named_children():
            try:
                node = self._module(child, f"self.{name}")
            except _RefusalError as error:
                self.refuse(str(error), name)
                continue
            made.append(Statement("", Set(Value("name", name), node)))
        for call in self.graph.calls:
            if call.masks:
                self.refuse("it is called with masks", call.module)
            if "training" in call.options:
                self.refuse("it is called with training=", call.module)
        if self.problems:
            return ""
        inside = STEP * 2
        head, body = self._forward()
        blocks = [
            [
                heading(self.network.costs),
                "",
                "from __future__ import annotations",
                "",
                *_imports(self.imports, self.modules),
            ],
            *(text.splitlines() for text in self.parts.values()),
            [
                "class Network(nn.Module):",
                f"{STEP}def __init__(self) -> None:",
                f"{inside}super().__init__()",
                *written(made, inside, self._reserved()),
                "",
                head,
                *body,
            ],
            ["model = Network()"],
        ]
        return "\n\n\n".join("\n".join(block) for block in blocks) + "\n"

    def _reserved(self) -> set[str]:
        """The names that no variable may have."""
        return {*RESERVED, *self.parts, *(each.partition(".")[0] for each in self.modules)}

    def _helper(self, name: str) -> Raw:
        self.parts.setdefault(name, HELPERS[name])
        self.imports |= {"OrderedDict"} if name == "row" else set()
        return Raw(name)

    def _module(self, module: nn.Module, path: str) -> Node:
        """What makes a module."""
        if module in self.paths:
            return Raw(self.paths[module])
        self.paths[module] = path
        node = self._made(module, path)
        own = list(module.parameters())
        if own and not any(each.requires_grad for each in own) and not isinstance(module, nn.Sequential):
            return Made(self._helper("frozen"), [node])
        return node

    def _made(self, module: nn.Module, path: str) -> Node:
        kind = type(module)
        custom = self.customs.get(module)
        if custom is not None and not str(getattr(custom.maker, "__module__", "")).startswith(OURS):
            found = imported(custom.maker)
            if found is not None:
                given = {name: self._argument(kind, name, each, path) for name, each in custom.arguments.items()}
                return Made(self._imported(found), [Value("input_shape", custom.inputs)], given)
        if kind is nn.Sequential:
            children = {name: self._module(child, f"{path}.{name}") for name, child in module.named_children()}
            if list(children) == [str(number) for number in range(len(children))]:
                return Made(self._helper("row"), list(children.values()))
            return Made(self._helper("row"), (), children)
        if kind.__module__.startswith(OURS):
            of = self._part(kind.__name__, kind)
        elif getattr(nn, kind.__name__, None) is kind:
            of = f"nn.{kind.__name__}"
        elif (found := imported(kind)) is not None:
            of = self._imported(found).text
        else:
            raise _RefusalError(
                f"it is, or holds, a {kind.__name__}, which cannot be imported: define it, or what makes it, at the "
                "top of a module"
            )
        args: list[Node] = []
        named: dict[str, Node] = {}
        for name, default, positional in _parameters(kind):
            if not hasattr(module, name):
                raise _RefusalError(f"{kind.__name__} does not keep its argument {name}")
            value = getattr(module, name)
            if name == "bias" and of.startswith("nn.") and not isinstance(value, bool):
                value = value is not None
            required = default is inspect.Parameter.empty
            if not required and type(value) is type(default) and value == default:
                continue
            if not required and isinstance(value, tuple) and set(value) == {default}:
                continue  # PyTorch keeps one for each axis.
            node = self._argument(kind, name, value, f"{path}.{name}")
            if required and not named and positional:
                args.append(node)
            else:
                named[name] = node
        made: Node = Made(Raw(of), args, named)
        if isinstance(module, nn.RNNBase) and "bias_hh_l0" in module._buffers:
            made = Made(Raw(self._part("single_bias", _recurrent.single_bias)), [made])
        if getattr(module, "affine", getattr(module, "elementwise_affine", False)):
            for name in ("weight", "bias"):
                if module._parameters.get(name, 0) is None:
                    made = Made(self._helper("without"), [made, Value("parameter", name)])
        return made

    def _imported(self, found: tuple[str, str]) -> Raw:
        """What is imported from a module of a user."""
        module, name = found
        self.modules.add(module)
        return Raw(f"{module}.{name}")

    def _argument(self, kind: type, name: str, value: Any, path: str) -> Node:
        if isinstance(value, nn.Module):
            return self._module(value, path)
        if isinstance(value, nn.Parameter):
            return Made(Raw("nn.Parameter"), [_first(value.detach())])
        if isinstance(value, torch.Tensor) and value.numel() <= MOST_VALUES:
            kinds: dict[str, Node] = {} if value.dtype == torch.float32 else {"dtype": Raw(str(value.dtype))}
            return Made(Raw("torch.tensor"), [Value(name, value.tolist())], kinds)
        if _is_plain(value):
            return Value(name, value)
        raise _RefusalError(f"{kind.__name__} is made with more than plain values ({name})")

    def _part(self, name: str, found: Any, near: Any = None) -> str:
        """Takes a class, a function or an alias of the exporter into the text; returns its name."""
        if name in self.taken:
            if self.taken[name] is not found:
                raise _RefusalError(f"there are two parts named {name}")
            return name
        self.taken[name] = found
        module = near or inspect.getmodule(found)
        source = _source(name, found, module)
        for each in sorted(_read(source)):
            if each in IMPORTS:
                self.imports.add(each)
            elif each != name and not hasattr(builtins, each):
                self._needed(name, each, module)
        self.parts[name] = source
        return name

    def _needed(self, name: str, each: str, module: Any) -> None:
        """Takes what a part needs into the text, from where its file has it."""
        for place in (module, _given):
            if each in vars(place):
                found = vars(place)[each]
                ours = str(getattr(found, "__module__", "")).startswith(OURS)
                self._part(each, found, None if ours else place)
                return
        raise _RefusalError(f"{name} needs {each} of archbudget")

    def _forward(self) -> tuple[str, list[str]]:
        """The head of `forward`, and its statements."""
        taken = self._reserved()
        tensors: dict[int, str] = {}
        inputs = [call for call in self.network.calls if call.layer.kind == "Input"]
        for number, tensor in enumerate(self.graph.inputs):
            given_name = inputs[number].layer.name
            own = inputs[number].name if given_name is not None else f"inputs_{number + 1}"
            tensors[tensor] = "inputs" if len(inputs) == 1 else free_name(own, taken)
            taken.add(tensors[tensor])
        given = set(tensors)
        alive: set[str] = set()
        statements = []
        for call in self.graph.calls:
            args = [Raw(tensors[each]) for each in call.inputs]
            named: dict[str, Node] = {name: Value(name, each) for name, each in call.options.items()}
            alive -= {tensors[each] for each in call.released if each in call.inputs and each not in given}
            for tensor in call.outputs:
                tensors[tensor] = next(each for each in tensor_names() if each not in alive and each not in taken)
                alive.add(tensors[tensor])
            made = target([Raw(tensors[each]) for each in call.outputs]) if len(call.outputs) > 1 else None
            before = f"{made or tensors[call.outputs[0]]} = "
            statements.append(Statement(before, Made(Own(Value("name", call.module)), args, named)))
            alive -= {tensors[each] for each in call.outputs if each in call.released}
        outputs = [tensors[each] for each in self.graph.outputs]
        several = len(outputs) > 1
        kind = "tuple[torch.Tensor, ...]" if several else "torch.Tensor"
        parameters = ["self", *(f"{tensors[each]}: torch.Tensor" for each in self.graph.inputs)]
        head = f"{STEP}def forward({', '.join(parameters)}) -> {kind}:"
        if len(head) > WIDTH:
            inside = "".join(f"{STEP * 2}{each},\n" for each in parameters)
            head = f"{STEP}def forward(\n{inside}{STEP}) -> {kind}:"
        body = written(statements, STEP * 2, taken | set(tensors.values()))
        return head, [*body, f"{STEP * 2}return {', '.join(outputs)}"]


def _is_plain(value: Any) -> bool:
    """Whether a value is a literal."""
    if isinstance(value, (list, tuple)):
        return all(map(_is_plain, value))
    return value is None or type(value) in (bool, int, float, str)


def _first(values: torch.Tensor) -> Node:
    """What a parameter starts as: one number, or values as Glorot draws them."""
    shape = Value("shape", tuple(values.shape))
    if values.numel() and bool((values == values.reshape(-1)[0]).all()):
        number = float(values.reshape(-1)[0])
        if number in (0.0, 1.0):
            return Made(Raw("torch.ones" if number else "torch.zeros"), [shape])
        return Made(Raw("torch.full"), [shape, Value("value", number)])
    if values.dim() < 2:
        return Made(Raw("nn.init.normal_"), [Made(Raw("torch.empty"), [shape])], {"std": Value("std", 0.05)})
    return Made(Raw("nn.init.xavier_uniform_"), [Made(Raw("torch.empty"), [shape])])


def _parameters(kind: type) -> list[tuple[str, Any, bool]]:
    """The arguments of a class: their names, defaults, and whether they may stand by position."""
    if issubclass(kind, nn.RNNBase):
        more = ("nonlinearity",) if kind is nn.RNN else ()
        usual = {"num_layers": 1, "bias": True, "batch_first": False, "dropout": 0.0, "bidirectional": False}
        defaults = {**usual, "proj_size": 0, "nonlinearity": "tanh"}
        return [(name, defaults.get(name, inspect.Parameter.empty), True) for name in (*RECURRENT, *more)]
    if not any("__init__" in vars(each) for each in kind.__mro__ if each not in (nn.Module, object)):
        return []
    found = []
    for each in inspect.signature(kind).parameters.values():
        several = each.kind in (each.VAR_POSITIONAL, each.VAR_KEYWORD)
        if each.name in ("device", "dtype") or each.name.startswith("_") or (several and kind is nn.Identity):
            continue
        found.append((each.name, each.default, each.kind is not each.KEYWORD_ONLY))
    return found


def _source(name: str, found: Any, module: Any) -> str:
    """The source of a class or a function without what makes it of a layer of archbudget, or that of an alias."""
    if not (inspect.isclass(found) or inspect.isfunction(found)):
        files = [each for known, each in sorted(sys.modules.items()) if known.startswith(OURS)]
        for place in [module, *(each for each in files if vars(each).get(name) is found)]:
            text = inspect.getsource(place)
            for node in ast.parse(text).body:
                if isinstance(node, ast.Assign) and [ast.unparse(each) for each in node.targets] == [name]:
                    return str(ast.get_source_segment(text, node))
        raise _RefusalError(f"{name} is more than a name of archbudget")
    text = textwrap.dedent(inspect.getsource(found)).rstrip()
    kept = text.splitlines()
    for method in ast.walk(ast.parse(text)):
        if not isinstance(method, ast.FunctionDef):
            continue
        if any(each.annotation is not None and ast.unparse(each.annotation) == "Given" for each in _args(method)):
            first = min([method.lineno, *(each.lineno for each in method.decorator_list)])
            last = method.end_lineno or method.lineno
            before = first - 1 - (kept[first - 2] == "")
            kept[before:last] = ["\0"] * (last - before)
    return "\n".join(line for line in kept if line != "\0")


def _args(node: ast.FunctionDef) -> list[ast.arg]:
    """The parameters of a function."""
    given = node.args
    several = [each for each in (given.vararg, given.kwarg) if each is not None]
    return [*given.posonlyargs, *given.args, *given.kwonlyargs, *several]


def _read(source: str) -> set[str]:
    """The names that a source reads from outside, in annotations also."""
    tree = ast.parse(source)
    names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
    own = {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    own |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    own |= {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    return {node.id for node in names} - own


def _imports(names: set[str], modules: set[str]) -> list[str]:
    """The imports of names: Python's own, and behind an empty line the others and whole modules."""

    def key(line: str) -> tuple[bool, str]:
        return (line.startswith("from"), line.split()[1])

    others = {name for name in names if name in ("F", "NDArray", "functional_call", "nn", "np", "torch")}
    joined: dict[str, list[str]] = {}
    for name in sorted(names - others):
        start, _, what = IMPORTS[name].partition(" import ")
        joined.setdefault(start, []).append(what)
    own = [f"{start} import {', '.join(each)}" if each != [""] else start for start, each in joined.items()]
    rest = [*(IMPORTS[name] for name in others), *(f"import {module}" for module in modules)]
    return [*sorted(own, key=key), *([""] if own else []), *sorted(rest, key=key)]


def _state(module: nn.Module) -> list[Any]:
    """What a module keeps: its plain attributes, and the shapes of its weights, with those of the modules inside."""
    return [
        (
            name,
            type(each).__name__,
            sorted((key, _shown(value)) for key, value in vars(each).items()),
            [(key, tuple(one.shape), one.requires_grad) for key, one in each.named_parameters(recurse=False)],
            [(key, tuple(one.shape)) for key, one in each.named_buffers(recurse=False)],
        )
        for name, each in module.named_modules(remove_duplicate=False)
    ]


def _shown(value: Any) -> str:
    """A value of an attribute, as far as two objects can be compared."""
    if isinstance(value, (dict, set)):
        return f"{type(value).__name__} {sorted(map(str, value))}"
    if isinstance(value, (list, tuple)):
        each = list(map(_shown, value))
        # One number for all axes is the same as one for each.
        return each[0] if len(set(each)) == 1 else f"{type(value).__name__} {each}"
    if isinstance(value, (torch.Tensor, nn.Module)):
        return type(value).__name__
    return repr(value) if _is_plain(value) else str(getattr(value, "__qualname__", type(value).__qualname__))
