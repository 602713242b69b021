"""A chart read back from its SVG."""

import xml.etree.ElementTree as ET


def drawn(svg: str) -> ET.Element:
    """Parse: a chart is well-formed XML, whatever it is called."""
    return ET.fromstring(svg)


def of_class(root: ET.Element, name: str) -> list[ET.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


def number(element: ET.Element, key: str) -> float:
    return float(element.get(key, "nan"))


def places(points: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in points.split())]
