// Imported on demand.
import { round } from "./text";

export function summary(values: number[]): string {
  const total = values.reduce((a, b) => a + b, 0);
  return `total ${round(total)}, largest ${round(Math.max(...values))}`;
}
