// An enum, a class with private and static members, a decorator-free getter.
export enum Color {
  None,
  Red = 31,
  Green,
  Blue = 34,
}

class Pen {
  static #used = 0;
  readonly #color: Color;

  constructor(color: Color) {
    this.#color = color;
    Pen.#used++;
  }

  get prefix(): string {
    return this.#color === Color.None ? "" : `\u001b[${this.#color}m`;
  }

  write(line: string): string {
    return this.prefix ? `${this.prefix}${line}\u001b[0m` : line;
  }
}

export function paint(line: string, color: Color): string {
  return new Pen(color).write(line);
}
