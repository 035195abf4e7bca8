/** A flow network between a source and a sink whose cheapest cut is wanted (Dinic's algorithm). */
export class MinCut {
  readonly source = 0;
  readonly sink = 1;
  readonly #to: number[] = [];
  readonly #room: number[] = [];
  /** Edges that leave each node. */
  readonly #edges: number[][] = [[], []];

  node(): number {
    return this.#edges.push([]) - 1;
  }

  /** Costs `capacity` when `from` is on the source's side and `to` on the sink's. */
  edge(from: number, to: number, capacity: number): void {
    if (from === to || capacity <= 0) return;
    this.#edges[from]!.push(this.#to.push(to) - 1);
    this.#room.push(capacity);
    this.#edges[to]!.push(this.#to.push(from) - 1);
    this.#room.push(0);
  }

  /** The nodes on the source's side of a cheapest cut, the smallest such set. */
  solve(): ReadonlySet<number> {
    for (let level = this.#levels(); level[this.sink]! >= 0; level = this.#levels()) {
      const next = this.#edges.map(() => 0);
      while (this.#augment(level, next));
    }
    return new Set(this.#levels().flatMap((l, v) => (l >= 0 ? [v] : [])));
  }

  /** Distances from the source along edges with room; -1 where there is no way. */
  #levels(): readonly number[] {
    const level = this.#edges.map(() => -1);
    level[this.source] = 0;
    const queue = [this.source];
    for (const v of queue)
      for (const e of this.#edges[v]!) {
        const w = this.#to[e]!;
        if (this.#room[e]! > 0 && level[w]! < 0) {
          level[w] = level[v]! + 1;
          queue.push(w);
        }
      }
    return level;
  }

  /** Sends flow along one shortest way; `next` remembers which edges of a node lead nowhere. */
  #augment(level: readonly number[], next: number[]): boolean {
    const way: number[] = [];
    for (let v = this.source; v !== this.sink; ) {
      const edges = this.#edges[v]!;
      const e = edges[next[v]!];
      if (e === undefined) {
        const back = way.pop();
        if (back === undefined) return false;
        v = this.#to[back ^ 1]!;
        next[v]!++;
      } else if (this.#room[e]! > 0 && level[this.#to[e]!]! === level[v]! + 1) {
        way.push(e);
        v = this.#to[e]!;
      } else next[v]!++;
    }
    const flow = Math.min(...way.map((e) => this.#room[e]!));
    for (const e of way) {
      this.#room[e]! -= flow;
      this.#room[e ^ 1]! += flow;
    }
    return flow > 0 && Number.isFinite(flow);
  }
}
