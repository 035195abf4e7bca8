/** The largest elements of each row, while rows stream past in pieces of any length. */
export class RowMaxima {
  #column = 0;
  #maxA = -Infinity;
  #maxE = -Infinity;
  #expectedAtMaxA = Number.NaN;
  #rows = 0;
  #agreeing = 0;

  constructor(private readonly length: number) {}

  add(count: number, a: Float64Array, e: Float64Array): void {
    const length = this.length;
    let [column, maxA, maxE, expectedAtMaxA] = [this.#column, this.#maxA, this.#maxE, this.#expectedAtMaxA];
    for (let i = 0; i < count; i++) {
      const va = a[i]!;
      const ve = e[i]!;
      if (va > maxA) {
        maxA = va;
        expectedAtMaxA = ve;
      }
      if (ve > maxE) maxE = ve;
      if (++column < length) continue;
      this.#rows++;
      if (expectedAtMaxA === maxE || (maxA === -Infinity && maxE === -Infinity)) this.#agreeing++;
      [column, maxA, maxE, expectedAtMaxA] = [0, -Infinity, -Infinity, Number.NaN];
    }
    [this.#column, this.#maxA, this.#maxE, this.#expectedAtMaxA] = [column, maxA, maxE, expectedAtMaxA];
  }

  agreement(): number | undefined {
    return this.#rows === 0 ? undefined : this.#agreeing / this.#rows;
  }
}

/** Whether the elements of the last axis are candidates one of which is the largest. */
export function hasOrder(dtype: string, shape: readonly number[]): boolean {
  return (shape.at(-1) ?? 1) > 1 && dtype !== 'bool' && !dtype.startsWith('c');
}
