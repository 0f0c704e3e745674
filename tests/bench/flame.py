"""flame: samples of stacks as a flame graph: one SVG file, no script; a box's width is its share, its title tells the rest.

The threads stand on the ground, what they called above them. Gateway's own functions are warm, others grey.
"""
from xml.sax.saxutils import escape

WIDTH, ROW, MARGIN, TEXT = 1400, 17, 8, 6.6  # pixels; TEXT: of a letter
LEAST = 0.4  # narrower boxes are left out, and so is what stands on them


class Box:
    def __init__(self, name):
        self.name, self.count, self.above = name, 0, {}

    def add(self, names):
        self.count += 1
        if names:
            self.above.setdefault(names[0], Box(names[0])).add(names[1:])

    def height(self):
        return 1 + max((b.height() for b in self.above.values()), default=0)


def _colour(name):
    spread = sum(name.encode()) % 40
    return f"hsl({20 + spread},75%,{62 + spread % 12}%)" if name.startswith("eg_") else f"hsl(210,8%,{72 + spread % 14}%)"


def _draw(box, x, level, unit, top, total, out):
    width = box.count * unit
    if width < LEAST:
        return
    y = top - level * ROW
    share = f"{escape(box.name)}: {100 * box.count / total:.1f} %"
    out.append(f'<g><title>{share}</title><rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{ROW - 1}" '
               f'fill="{_colour(box.name)}"/>')
    room = int((width - 4) / TEXT)
    if room >= 3:
        name = box.name if len(box.name) <= room else box.name[:room - 2] + ".."
        out.append(f'<text x="{x + 2:.1f}" y="{y + ROW - 5}">{escape(name)}</text>')
    out.append("</g>")
    for each in sorted(box.above.values(), key=lambda b: b.name):
        _draw(each, x, level + 1, unit, top, total, out)
        x += each.count * unit


def write(path, title, stacks):
    """stacks: (thread, [function, innermost first]) of every sample."""
    ground = Box("all")
    for thread, functions in stacks:
        ground.add([thread] + functions[::-1])
    height = (ground.height() + 2) * ROW + 2 * MARGIN
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" font-family="monospace" font-size="11">',
           f'<text x="{MARGIN}" y="{MARGIN + 11}">{escape(title)}</text>']
    if ground.count:
        _draw(ground, MARGIN, 0, (WIDTH - 2 * MARGIN) / ground.count, height - MARGIN - ROW, ground.count, out)
    with open(path, "w", encoding="utf-8") as f:
        f.write("\n".join(out) + "\n</svg>\n")
