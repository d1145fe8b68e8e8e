import type { Clock } from '#runtime/clock/clock.ts';
import { isoTime } from '#shared/twin/document/iso-time.ts';
import { isJsonObject, type JsonObject, type JsonValue } from '#shared/twin/document/json.ts';
import { parsePointer, valueAt, withValueAt } from '#shared/twin/document/json-pointer.ts';
import { compileRql, type RqlTest } from '#shared/twin/query/compile-rql.ts';
import { type FieldSelection, selectFields } from '#shared/twin/query/field-selector.ts';
import type { RqlCondition } from '#shared/twin/query/rql.ts';
import type { StoredRevision } from '../twins/thing-history.ts';
import type { TwinStore } from '../twins/twin-store.ts';
import { cachedDocument } from './thing.ts';

const REVISIONS_PER_READ = 100;
/** Of a stream that is read in portions: what one read may bring, and where a portion ends. */
const PORTION_REVISIONS = 10;
const PORTION_BYTES = 512 * 1024;
/** Of things that are sent whole, what is made ready at a time. */
const WHOLE_CHARACTERS = 256 * 1024;
const HEARTBEAT_MS = 15_000;
/** Heartbeats for which a reader may leave what it was sent where it is. */
const STALLED_BEATS_MAX = 2;

export interface StreamQuery {
  readonly group: string;
  /** The one thing that is watched; where left out, `devices`, or all. */
  readonly device?: string | undefined;
  readonly devices?: ReadonlySet<string> | undefined;
  /** Path within the thing; nothing is said of what is outside of it. */
  readonly keys: readonly string[];
  readonly fields: FieldSelection;
  /** What must hold of an event, as it is before `keys` and `fields` are taken of it. */
  readonly filter?: RqlCondition | undefined;
  /** The event after which it goes on; where left out, it begins with what comes now. */
  readonly after?: number | undefined;
  /** The revision of the one thing it ends with. */
  readonly until?: number | undefined;
  /**
   * Ends once all is said, or a portion of it, with the id to go on from, if it goes on, as an
   * event without data: for another node that reads it on behalf of somebody.
   */
  readonly inPortions?: boolean;
}

export interface StreamOptions {
  readonly twins: TwinStore;
  readonly clock: Clock;
  /** Whether its reader is let in still; asked at each sign of life. */
  readonly mayGoOn: () => boolean;
  /** Called once, however it ends. */
  readonly onEnd: () => void;
  /** Ends the connection of a reader that takes nothing. */
  readonly cutOff: () => void;
}

/**
 * Server-sent events (WHATWG HTML, 9.2) of what becomes of things: for each revision a JSON merge
 * patch, with `thingId`, `_revision`, `_modified` and `_by`. An event's id is the revision of the
 * one thing that is watched, or else its place among all revisions. Nothing is queued for a reader:
 * it is served from the store, so a slow one falls behind, and one that takes nothing is cut off.
 * Where what it would go on from is no longer kept, each thing is sent whole first.
 */
export class ThingStream {
  readonly #twins: TwinStore;
  readonly #clock: Clock;
  readonly #query: StreamQuery;
  readonly #mayGoOn: () => boolean;
  readonly #onEnd: () => void;
  readonly #cutOff: () => void;
  readonly #unlisten: () => void;
  #cancelBeat: () => void = () => undefined;
  #position: number;
  #wake: (() => void) | undefined;
  #stalledBeats = 0;
  #sentBytes = 0;
  #beat = false;
  #ended = false;
  /** Devices whose things are still to be sent whole. */
  readonly #whole: string[];
  readonly #test: RqlTest;

  constructor({ twins, clock, mayGoOn, onEnd, cutOff }: StreamOptions, query: StreamQuery) {
    this.#twins = twins;
    this.#clock = clock;
    this.#query = query;
    this.#test = query.filter === undefined ? () => true : compileRql(query.filter);
    this.#mayGoOn = mayGoOn;
    this.#onEnd = onEnd;
    this.#cutOff = cutOff;
    this.#position = query.after ?? this.#newest();
    this.#whole = this.#hasGap() ? this.#watched() : [];
    if (this.#whole.length > 0) this.#position = this.#newest();
    this.#unlisten = twins.onCommit(({ device }) => {
      if (query.device === undefined || query.device === device) this.#wake?.();
    });
  }

  /** The bytes; to be read once. */
  body(): ReadableStream<Uint8Array> {
    return new ReadableStream<Uint8Array>(
      {
        start: () => this.#watchReader(),
        pull: (controller) => this.#pull(controller),
        cancel: () => this.#end(),
      },
      { highWaterMark: 0 },
    );
  }

  async #pull(controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> {
    this.#stalledBeats = 0;
    const { inPortions = false } = this.#query;
    while (!this.#ended) {
      const text = this.#take();
      if (text !== '') {
        controller.enqueue(Buffer.from(text));
        this.#sentBytes += text.length;
        if (!inPortions || this.#sentBytes < PORTION_BYTES) return;
      }
      if (inPortions || this.#isComplete()) {
        const goesOn = inPortions && !this.#isComplete();
        if (goesOn) controller.enqueue(Buffer.from(`id:${this.#position}\n\n`));
        this.#end();
        controller.close();
        return;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      this.#wake = undefined;
    }
  }

  /** Sends a sign of life while nothing happens, and ends what nobody reads. */
  #watchReader(): void {
    this.#cancelBeat = this.#clock.after(HEARTBEAT_MS, () => {
      if (this.#ended) return;
      this.#stalledBeats = this.#wake === undefined ? this.#stalledBeats + 1 : 0;
      if (this.#stalledBeats > STALLED_BEATS_MAX || !this.#mayGoOn()) {
        this.#end();
        this.#cutOff();
        return;
      }
      this.#beat = true;
      this.#wake?.();
      this.#watchReader();
    });
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#cancelBeat();
    this.#unlisten();
    this.#wake?.();
    this.#onEnd();
  }

  #take(): string {
    const whole = this.#takeWhole();
    if (this.#whole.length > 0) return whole;
    const beat = this.#beat ? ':\n\n' : '';
    this.#beat = false;
    const revisions = this.#isComplete() ? [] : this.#read();
    const last = revisions.at(-1);
    if (last !== undefined) this.#position = this.#idOf(last);
    const events = revisions.map((revision) => this.#event(revision)).join('');
    // What concerns nobody here has been passed over: the next read goes on behind it.
    const silent = events === '' && last !== undefined ? ':\n\n' : '';
    return whole + beat + events + silent;
  }

  #read(): StoredRevision[] {
    const { device, until = Number.MAX_SAFE_INTEGER, inPortions } = this.#query;
    const { history } = this.#twins;
    const countMax = inPortions ? PORTION_REVISIONS : REVISIONS_PER_READ;
    if (device === undefined) return history.ofAll(this.#position, countMax);
    return history
      .ofThing(device, this.#position, countMax)
      .filter(({ revision }) => revision <= until);
  }

  #isComplete(): boolean {
    const { until } = this.#query;
    return until !== undefined && this.#position >= Math.min(until, this.#newest());
  }

  #newest(): number {
    const { device } = this.#query;
    const { history } = this.#twins;
    if (device === undefined) return history.positions().newest;
    return this.#twins.current(device)?.revision ?? 0;
  }

  #hasGap(): boolean {
    const { after, device } = this.#query;
    if (after === undefined) return false;
    const newest = this.#newest();
    if (after >= newest) return after > newest; // of another file than this one
    if (device === undefined) return after + 1 < this.#twins.history.positions().oldest;
    const [next] = this.#twins.history.ofThing(device, after, 1);
    return next?.revision !== after + 1;
  }

  #watched(): string[] {
    const { device, devices, group } = this.#query;
    if (device !== undefined) return this.#twins.get(device) === undefined ? [] : [device];
    const all = this.#twins.all().map(({ thingId }) => thingId.slice(group.length + 1));
    return devices === undefined ? all : all.filter((each) => devices.has(each));
  }

  #idOf({ revision, position }: StoredRevision): number {
    return this.#query.device === undefined ? position : revision;
  }

  /** A reader that gets some of them and comes again is to get all: the last has the new place. */
  #takeWhole(): string {
    let text = '';
    while (this.#whole.length > 0 && text.length < WHOLE_CHARACTERS) {
      const thing = this.#twins.get(this.#whole.shift()!);
      if (thing === undefined) continue;
      const id = this.#whole.length === 0 ? this.#position : this.#query.after!;
      text += this.#format(id, cachedDocument(thing));
    }
    return text;
  }

  #event(stored: StoredRevision): string {
    const { group, devices } = this.#query;
    const { device, revision, timeMs, by, changes } = stored;
    if (devices?.has(device) === false) return '';
    let patch: JsonValue = {};
    for (const { path, value } of changes) {
      const keys = parsePointer(path);
      if (keys.ok) patch = withValueAt(patch, keys.value, value ?? null);
    }
    const head = { thingId: `${group}:${device}`, _revision: revision };
    const tail = { _modified: isoTime(timeMs), _by: by };
    const deleted = !isJsonObject(patch);
    const document = { ...(isJsonObject(patch) ? patch : { _deleted: true }), ...head, ...tail };
    return this.#format(this.#idOf(stored), document, deleted);
  }

  #format(id: number, document: JsonObject, isDeletion = false): string {
    const { keys, fields } = this.#query;
    if (!this.#test(document)) return '';
    const part = isDeletion && keys.length > 0 ? null : valueAt(document, keys);
    if (part === undefined) return '';
    const shown = fields !== 'all' && isJsonObject(part) ? selectFields(part, fields) : part;
    if (isJsonObject(shown) && fields !== 'all' && Object.keys(shown).length === 0) return '';
    return `id:${id}\ndata:${JSON.stringify(shown)}\n\n`;
  }
}
