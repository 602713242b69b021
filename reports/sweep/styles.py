"""How runs are drawn: one thing told by colour, another by shape and dashes."""

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from reports.measured import Series
from reports.palette import OKABE_ITO, SHAPES, SeriesStyle, series_style

INK, QUIET = 90, 91  # colours of the laws' style sheet: text, and text of less weight

C = TypeVar("C", bound=Hashable)
S = TypeVar("S", bound=Hashable)


class Styles(Generic[C, S]):
    """Styles of series that are told apart by two things.

    Attributes:
        colours: values that have a colour each. shapes: values that have a shape and dashes each.
    """

    def __init__(self, colours: Sequence[C], shapes: Sequence[S]) -> None:
        self.colours, self.shapes = list(colours), list(shapes)

    def __call__(self, colour: C, shape: S) -> SeriesStyle:
        """Return the style of one series."""
        first, second = self.colours.index(colour), self.shapes.index(shape)
        if len(self.shapes) == 1:
            return series_style(first)
        dashes = series_style(second % len(OKABE_ITO)).dashes
        return SeriesStyle(first % len(OKABE_ITO), SHAPES[second % len(SHAPES)], dashes)

    def key(self, colour_names: Sequence[str], shape_names: Sequence[str]) -> list[Series]:
        """Return a legend: every colour, then every shape in ink."""
        named = [
            Series(name, {}, self(one, self.shapes[0]))
            for one, name in zip(self.colours, colour_names, strict=True)
        ]
        if len(self.shapes) == 1:
            return named
        plain = [
            Series(one.name, {}, one.style._replace(shape="circle", dashes="none")) for one in named
        ]
        return plain + [
            Series(name, {}, self(self.colours[0], one)._replace(colour=INK))
            for one, name in zip(self.shapes, shape_names, strict=True)
        ]
