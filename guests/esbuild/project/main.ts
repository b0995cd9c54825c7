// Entry point: a small report over shapes; only what it reaches may stay in the bundle.
import { type Shape, area, describe } from "./shapes";
import { Color, paint } from "./color";
import * as text from "./text";

const shapes: Shape[] = [
  { kind: "circle", radius: 2 },
  { kind: "rectangle", width: 3, height: 4.5 },
  { kind: "polygon", points: [[0, 0], [4, 0], [4, 3]] },
];

export async function report(colors: readonly Color[] = [Color.Red, Color.Blue]): Promise<string[]> {
  const lines: string[] = [];
  for (const [index, shape] of shapes.entries()) {
    const color = colors[index % colors.length] ?? Color.None;
    lines.push(paint(text.pad(describe(shape), 24) + text.round(area(shape)), color));
  }
  const { summary } = await import("./summary");
  lines.push(summary(shapes.map(area)));
  return lines;
}

report().then((lines) => console.log(lines.join("\n")));
