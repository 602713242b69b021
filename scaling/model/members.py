"""Many models of one shape as one: their weights stacked, each with its own share of the rows.

A stacked model is the same module with parameters of one axis more, the members', in front. It
reads a batch in which each member's rows follow those of the member before, and every weight meets
its own member's rows alone: products become batched products, and all the rest, which knows rows
but no weights, stays what it is. A weight without that axis is one model's, and what is here then
does what its plain form does.

Shapes in names: M members, R rows of all of them, W positions, D width, E width of an output, V
vocabulary.
"""

from collections.abc import Sequence
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

AnyModule = TypeVar("AnyModule", bound=nn.Module)


def by_member(x: Tensor, weight: Tensor) -> Tensor:
    """Return x [R, ..., D] as [N, D], or for the weight [M, ...] of members as [M, N, D]."""
    return x.reshape(*weight.shape[:-2], -1, x.shape[-1])


def linear(x: Tensor, weight_ED: Tensor) -> Tensor:
    """Return [R, ..., E] from [R, ..., D]; the weight is [E, D], or [M, E, D] of members."""
    if weight_ED.dim() == 2:
        return F.linear(x, weight_ED)
    return torch.bmm(by_member(x, weight_ED), weight_ED.mT).view(*x.shape[:-1], -1)


def embedded(ids_RW: Tensor, weight_VD: Tensor) -> Tensor:
    """Return [R, W, D], the rows of the weight [V, D], or [M, V, D], that the ids name."""
    if weight_VD.dim() == 2:
        return F.embedding(ids_RW, weight_VD)
    members, vocabulary = weight_VD.shape[:2]
    first = torch.arange(0, members * vocabulary, vocabulary, device=ids_RW.device)
    flat = (ids_RW.view(members, -1) + first[:, None]).view_as(ids_RW)
    return F.embedding(flat, weight_VD.flatten(0, 1))


def spread(vector: Tensor, x: Tensor) -> Tensor:
    """Return a vector [D], or [M, D] of members, so that it meets x [R, ..., D]."""
    if vector.dim() == 1:
        return vector
    rows = vector.repeat_interleave(x.shape[0] // len(vector), dim=0)
    return rows.view(x.shape[0], *(1 for _ in x.shape[2:]), -1)


def stack_members(whole: AnyModule, members: Sequence[nn.Module]) -> AnyModule:
    """Return `whole`, a model of the members' shape, as all of them together.

    Members' parameters, and from here on their gradients, become views of its own: what is done to
    one is done to the other.
    """
    made: dict[nn.Parameter, nn.Parameter] = {}
    own = [dict(member.named_parameters(remove_duplicate=False)) for member in members]
    for path, old in list(whole.named_parameters(remove_duplicate=False)):
        if old not in made:
            weights = [parameters[path] for parameters in own]
            stack = nn.Parameter(torch.stack([weight.detach() for weight in weights]))
            stack.grad = torch.zeros_like(stack)
            for weight, values, gradient in zip(weights, stack.detach(), stack.grad, strict=True):
                weight.data, weight.grad = values, gradient
            made[old] = stack
        module, _, name = path.rpartition(".")
        setattr(whole.get_submodule(module), name, made[old])
    return whole
