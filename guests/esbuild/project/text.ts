// Named exports, of which one is unused; JSON is bundled as a module.
import settings from "./settings.json";

export const pad = (line: string, width: number): string => line.padEnd(width, settings.fill);
export const round = (value: number): string => value.toFixed(settings.digits);
export const unused = (): string => settings.fill;
