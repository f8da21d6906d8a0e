/**
 * The page's side of the pyramid: keeps tiles, decides which to ask for next, and forgets what went out of view.
 *
 * Attention belongs to a text, layer, head and whose positions, the kept share to a method, too: a changed method leaves the
 * attention as it is, unless it is shown under that method's own positions and they have moved.
 */
import { isUserError } from '../base/user-error';
import { TileCache } from './cache';
import type { MapRegion } from './grid';
import {
  ancestorOf,
  distanceOf,
  TILE_PIXELS,
  type TileAddress,
  type TilePlace,
  tilesIn,
  topLevel,
} from './grid';
import { type AttentionTile, cellsOf, isShown, planWork, type TileWish } from './plan';
import type { PooledLines, TileSource, TileWork } from './requests';
import { TileRate } from './throughput';

export interface PyramidOptions {
  readonly source: TileSource;
  /** Bytes of attention tiles, and of kept shares, that are held; 192 and 96 MiB by default. */
  readonly attentionBytes?: number;
  readonly coverageBytes?: number;
  /** Milliseconds of a clock; `performance.now` by default. */
  readonly now?: () => number;
}

/** What is on the screen. */
export interface MapView {
  /** Key of the text (textKey). */
  readonly text: string;
  readonly tokens: number;
  /** Key of the method (methodKey). */
  readonly method: string;
  /** Whose positions attention is under, as in an AttentionRequest. */
  readonly positions: string | null;
  readonly layer: number;
  readonly head: number;
  readonly region: MapRegion;
  readonly level: number;
  /** Where the pointer is, or the middle: tiles near it come first. */
  readonly focus: { readonly query: number; readonly key: number };
}

/** What attention is of: a text, under the model's positions (null) or a method's own. */
export type Picture = Pick<MapView, 'text' | 'positions'>;

/** A tile that shows a place, and the place that it is a tile of: the same, or one of a higher level. */
export interface Found<Value> {
  readonly place: TilePlace;
  readonly value: Value;
}

/** Hears which tiles have changed. */
export type PyramidListener = (changed: readonly TileAddress[]) => void;

/** Thumbnails are made exact once the view has stood still for so long. */
const REST_MILLISECONDS = 400;
const MOST_BATCHES = 2;
const COVERAGE_TILES = 16;
/** The text in view and the one before it, for those who go back and forth. */
const MOST_TEXTS = 2;
const TILE_AREA = TILE_PIXELS * TILE_PIXELS;

export class TilePyramid {
  /** How fast tiles are made here. */
  readonly rate = new TileRate();
  readonly #source: TileSource;
  readonly #now: () => number;
  readonly #attentionTiles: TileCache<AttentionTile>;
  readonly #coverageTiles: TileCache<Float32Array>;
  readonly #listeners = new Set<PyramidListener>();
  /** Short names in keys, by text: its own, and those of methods and positions on it. */
  readonly #names = new Map<string, { readonly text: number; readonly parts: Map<string, number> }>();
  #lastName = 0;
  /** Keys of texts that were in view, the latest first. */
  #texts: readonly string[] = [];
  #view: MapView | null = null;
  #heads: readonly { readonly layer: number; readonly head: number }[] = [];
  #isIdle = false;
  readonly #batches = new Set<{
    work: readonly TileWork[];
    picture: Picture;
    controller: AbortController;
  }>();
  readonly #pending = new Set<string>();
  #lastArrival = Number.NEGATIVE_INFINITY;
  #coverageBatch: AbortController | null = null;
  #lastShow = Number.NEGATIVE_INFINITY;
  #rest: ReturnType<typeof setTimeout> | undefined;
  /** The source has no such text or selection yet: nothing is asked until `announce`. */
  #isBlocked = false;
  #isCoverageBlocked = false;
  /** Counts up with every `announce`: a refusal of something asked before it is old. */
  #news = 0;
  /** The method that last had all of a view, whose shares stand in until those of the method in view come. */
  #shownMethod: string | null = null;

  constructor(options: PyramidOptions) {
    const { source, attentionBytes = 192 * 2 ** 20, coverageBytes = 96 * 2 ** 20 } = options;
    this.#source = source;
    this.#now = options.now ?? (() => performance.now());
    this.#attentionTiles = new TileCache(
      attentionBytes,
      ({ maximum, mean, excess }) => maximum.byteLength + mean.byteLength + excess.byteLength,
    );
    this.#coverageTiles = new TileCache(coverageBytes, (kept) => kept.byteLength);
  }

  /** Hears of tiles as they come. Returns the end of listening. */
  listen(listener: PyramidListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Asks for what a view needs; what another view alone needed is cancelled. */
  show(view: MapView): void {
    const before = this.#view;
    const isOther = (...parts: (keyof MapView)[]): boolean =>
      before !== null && parts.some((part) => before[part] !== view[part]);
    if (isOther('text', 'positions')) this.#isBlocked = false;
    if (isOther('text', 'method')) this.#isCoverageBlocked = false;
    if (isOther('text', 'method', 'layer', 'head')) this.#coverageBatch?.abort();
    this.#view = view;
    if (this.#texts[0] !== view.text) this.#forgetBefore(view.text);
    this.#lastShow = this.#now();
    clearTimeout(this.#rest);
    this.#rest = setTimeout(() => this.#pump(), REST_MILLISECONDS);
    this.#cancelUnwanted();
    this.#pump();
  }

  /** Heads whose whole pictures are wanted once the view has all of its own; exact only while nothing else goes on. */
  showHeads(heads: readonly { readonly layer: number; readonly head: number }[], isIdle: boolean): void {
    this.#heads = heads;
    this.#isIdle = isIdle;
    this.#pump();
  }

  /** The source has news: a text was read, or a selection is there. */
  announce(): void {
    this.#news += 1;
    this.#isBlocked = false;
    this.#isCoverageBlocked = false;
    this.#pump();
  }

  /** The nearest picture of a place, from its own level up; null while there is none at all. */
  attention(picture: Picture, address: TileAddress, tokens: number): Found<AttentionTile> | null {
    const names = this.#pictureName(picture);
    return this.#find(address, tokens, (place) => {
      const tile = this.#attentionTiles.get(keyIn(names, place));
      return tile && isShown(tile, place, tokens) ? tile : undefined;
    });
  }

  /** The kept share of a place under the method in view, or else the one before; null while there is none at all. */
  coverage(text: string, address: TileAddress, tokens: number): Found<Float32Array> | null {
    for (const method of [this.#view?.method, this.#shownMethod]) {
      if (method === undefined || method === null) continue;
      const names = this.#namesOf(text, method);
      const found = this.#find(address, tokens, (place) => this.#coverageTiles.get(keyIn(names, place)));
      if (found) return found;
    }
    return null;
  }

  /** Whether everything in view is there, exact. */
  isComplete(): boolean {
    const view = this.#view;
    if (!view) return false;
    const inView = this.#wishes(view).filter(({ isWhole }) => !isWhole);
    return (
      planWork(
        inView.map((wish) => ({ ...wish, isPending: false })),
        view.tokens,
        this.rate,
      ).length === 0
    );
  }

  /** Bytes held. */
  get bytes(): { readonly attention: number; readonly coverage: number } {
    return { attention: this.#attentionTiles.bytes, coverage: this.#coverageTiles.bytes };
  }

  /** Forgets every tile. */
  clear(): void {
    this.#attentionTiles.clear();
    this.#coverageTiles.clear();
    this.#cancel();
  }

  dispose(): void {
    clearTimeout(this.#rest);
    this.#listeners.clear();
    this.#view = null;
    this.#heads = [];
    this.clear();
  }

  /** Tiles of texts that nobody goes back to would fill the caches. */
  #forgetBefore(text: string): void {
    this.#texts = [text, ...this.#texts.filter((other) => other !== text)].slice(0, MOST_TEXTS);
    for (const [key, { text: name }] of [...this.#names]) {
      if (this.#texts.includes(key)) continue;
      this.#names.delete(key);
      const isOf = (tile: string): boolean => tile.startsWith(`${name}|`) || tile.startsWith(`${name}@`);
      this.#attentionTiles.forget(isOf);
      this.#coverageTiles.forget(isOf);
    }
  }

  #cancel(): void {
    for (const { controller } of this.#batches) controller.abort();
    this.#coverageBatch?.abort();
  }

  #cancelUnwanted(): void {
    const view = this.#view;
    if (!view) return;
    const wanted = new Set(this.#wishes(view).map(({ key }) => key));
    for (const { work, picture, controller } of this.#batches) {
      const isWanted = work.some((piece) => wanted.has(this.#keyOf(picture, piece)));
      if (!isWanted) controller.abort();
    }
  }

  #pump(): void {
    const view = this.#view;
    if (!view) return;
    while (!this.#isBlocked && this.#batches.size < MOST_BATCHES) {
      const work = planWork(this.#wishes(view), view.tokens, this.rate);
      if (work.length === 0) break;
      void this.#fetchAttention(view, work);
    }
    if (!this.#isCoverageBlocked && !this.#coverageBatch) void this.#fetchCoverage(view);
  }

  /** What is wanted and not asked for, most wanted first. */
  #wishes(view: MapView): TileWish[] {
    const { tokens, layer, head } = view;
    const top = { layer, head, level: topLevel(tokens), row: 0, column: 0 };
    const isAtRest = this.#isIdle && this.#now() - this.#lastShow >= REST_MILLISECONDS;
    const wish = (address: TileAddress, isWhole: boolean, mayRefine = true): TileWish => {
      const key = this.#keyOf(view, address);
      const tile = this.#attentionTiles.peek(key);
      return { address, key, tile, isWhole, mayRefine, isPending: this.#pending.has(key) };
    };
    return [
      ...sortByDistance(tilesIn(view.region, view.level, tokens), view.focus).map((place) =>
        wish({ layer, head, ...place }, false),
      ),
      wish(top, true),
      ...this.#heads.map((other) => wish({ ...top, ...other }, true, isAtRest)),
    ];
  }

  async #fetchAttention(view: MapView, work: readonly TileWork[]): Promise<void> {
    const { text, positions, tokens } = view;
    const picture = { text, positions };
    const batch = { work, picture, controller: new AbortController() };
    const news = this.#news;
    this.#batches.add(batch);
    for (const piece of work) this.#pending.add(this.#keyOf(picture, piece));
    try {
      const { lines, milliseconds } = await this.#source.attention(
        { text, positions, work },
        batch.controller.signal,
      );
      if (batch.controller.signal.aborted) return;
      // Two batches may be in flight: the time is this one's only since the other one came.
      const now = this.#now();
      this.rate.note(cellsOf(work, tokens), work.length, Math.min(milliseconds, now - this.#lastArrival));
      this.#lastArrival = now;
      for (const [i, piece] of work.entries()) this.#keep(picture, piece, lines[i]!);
      this.#tell(work);
    } catch (error) {
      if (batch.controller.signal.aborted) return;
      // Not read yet, or another text is open now: `announce` asks again. What is wrong in earnest must not be asked for ever.
      this.#isBlocked = news === this.#news || !isUserError(error);
      if (!isUserError(error)) console.error(error);
    } finally {
      this.#batches.delete(batch);
      for (const piece of work) this.#pending.delete(this.#keyOf(picture, piece));
      this.#pump();
    }
  }

  #keep(picture: Picture, piece: TileWork, { maximum, mean, excess }: PooledLines): void {
    const key = this.#keyOf(picture, piece);
    const isWhole = maximum.length === TILE_AREA;
    const before = this.#attentionTiles.peek(key);
    const tile: AttentionTile = before ?? {
      maximum: isWhole ? maximum : new Float32Array(TILE_AREA),
      mean: isWhole ? mean : new Float32Array(TILE_AREA),
      excess: isWhole ? excess : new Float32Array(TILE_AREA),
      exactLines: 0,
      rowStep: 0,
    };
    if (tile.maximum !== maximum) {
      // What is exact stays.
      const lineStart = Math.max(piece.lineStart, tile.exactLines);
      const skipped = (lineStart - piece.lineStart) * TILE_PIXELS;
      tile.maximum.set(maximum.subarray(skipped), lineStart * TILE_PIXELS);
      tile.mean.set(mean.subarray(skipped), lineStart * TILE_PIXELS);
      tile.excess.set(excess.subarray(skipped), lineStart * TILE_PIXELS);
    }
    if (piece.rowStep === 1) tile.exactLines = piece.lineEnd;
    else tile.rowStep = piece.rowStep;
    this.#attentionTiles.set(key, tile);
  }

  async #fetchCoverage(view: MapView): Promise<void> {
    const { text, method, layer, head, tokens } = view;
    const names = this.#namesOf(text, method);
    const top = { level: topLevel(tokens), row: 0, column: 0 };
    const tiles = [...sortByDistance(tilesIn(view.region, view.level, tokens), view.focus), top]
      .map((place) => ({ layer, head, ...place }))
      .filter((address) => !this.#coverageTiles.peek(keyIn(names, address)))
      .slice(0, COVERAGE_TILES);
    if (tiles.length === 0) {
      this.#shownMethod = method;
      return;
    }
    const controller = new AbortController();
    const news = this.#news;
    this.#coverageBatch = controller;
    try {
      const { kept } = await this.#source.coverage({ text, method, tiles }, controller.signal);
      if (controller.signal.aborted) return;
      kept.forEach((share, i) => {
        if (share) this.#coverageTiles.set(keyIn(names, tiles[i]!), share);
      });
      if (kept.includes(null) && this.#view?.layer === layer) this.#isCoverageBlocked = news === this.#news;
      this.#tell(tiles);
    } catch (error) {
      if (controller.signal.aborted) return;
      this.#isCoverageBlocked = news === this.#news || !isUserError(error);
      if (!isUserError(error)) console.error(error);
    } finally {
      this.#coverageBatch = null;
      this.#pump();
    }
  }

  #tell(changed: readonly TileAddress[]): void {
    for (const listener of this.#listeners) listener(changed);
  }

  #find<Value>(
    address: TileAddress,
    tokens: number,
    get: (address: TileAddress) => Value | undefined,
  ): Found<Value> | null {
    const { layer, head } = address;
    const top = Math.max(address.level, topLevel(tokens));
    for (let { level } = address; level <= top; level++) {
      const place = ancestorOf(address, level);
      const value = get({ layer, head, ...place });
      if (value !== undefined) return { place, value };
    }
    return null;
  }

  #keyOf(picture: Picture, address: TileAddress): string {
    return keyIn(this.#pictureName(picture), address);
  }

  #pictureName({ text, positions }: Picture): string {
    return positions === null
      ? String(this.#nameOf(text).text)
      : `${this.#nameOf(text).text}@${this.#partOf(text, positions)}`;
  }

  #namesOf(text: string, method: string): string {
    return `${this.#nameOf(text).text}|${this.#partOf(text, method)}`;
  }

  #nameOf(text: string) {
    const known = this.#names.get(text);
    if (known) return known;
    const made = { text: this.#nextName(), parts: new Map<string, number>() };
    this.#names.set(text, made);
    return made;
  }

  #partOf(text: string, part: string): number {
    const { parts } = this.#nameOf(text);
    const name = parts.get(part) ?? this.#nextName();
    parts.set(part, name);
    return name;
  }

  #nextName(): number {
    this.#lastName += 1;
    return this.#lastName;
  }
}

function keyIn(names: string, { layer, head, level, row, column }: TileAddress): string {
  return `${names}|${layer}|${head}|${level}|${row}|${column}`;
}

function sortByDistance(places: readonly TilePlace[], focus: MapView['focus']): TilePlace[] {
  return places
    .map((place) => ({ place, distance: distanceOf(place, focus) }))
    .sort((a, b) => a.distance - b.distance)
    .map(({ place }) => place);
}
