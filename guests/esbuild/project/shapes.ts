// A discriminated union and exhaustive switches.
type Point = [x: number, y: number];

export type Shape =
  | { kind: "circle"; radius: number }
  | { kind: "rectangle"; width: number; height: number }
  | { kind: "polygon"; points: Point[] };

export function area(shape: Shape): number {
  switch (shape.kind) {
    case "circle":
      return Math.PI * shape.radius ** 2;
    case "rectangle":
      return shape.width * shape.height;
    case "polygon": {
      const { points } = shape;
      const doubled = points.reduce((sum, [x, y], i) => {
        const [nextX, nextY] = points[(i + 1) % points.length]!;
        return sum + x * nextY - nextX * y;
      }, 0);
      return Math.abs(doubled) / 2;
    }
  }
}

export const describe = (shape: Shape): string =>
  shape.kind === "polygon" ? `polygon of ${shape.points.length} points` : shape.kind;

export function neverCalled(): void {
  console.error("tree shaking removes this");
}
