import { z } from 'zod';
import type { Database } from '#runtime/database/database.ts';
import type { DropRule } from '#shared/twin/sample-stream.ts';
import { isOfPattern, propertyPatternSchema } from '#shared/wire/names.ts';

/** Of what it may hold, a full outbox clears so much at once: one search for many samples. */
const CLEARED_SHARE = 1 / 64;
/** The part of the backlog that makes room when the file is too large. */
const CLEARED_BY_SIZE_SHARE = 1 / 16;

const THINNED_AT_ONCE = 1000;

/** One `[[outbox.rules]]` table: what the properties that match give up when the outbox is full. */
export const quotaRuleSchema = z.strictObject({
  property: propertyPatternSchema,
  drop: z.enum(['oldest', 'thin']),
});
export type QuotaRule = z.infer<typeof quotaRuleSchema>;

export interface QuotaOptions {
  /** The most unacknowledged samples. */
  readonly unacknowledgedMax: number;
  /** The most that the file's pages in use take. */
  readonly sizeBytesMax: number;
  /** The first that matches a property holds; `oldest` where none does. */
  readonly rules: readonly QuotaRule[];
}

/** The samples of an outbox that may be given up: those behind `after` and before `before`. */
export interface Backlog {
  readonly after: number;
  readonly before: number;
  /** All that is unacknowledged. */
  readonly held: number;
}

/** What a property, by its row, gave up. */
export interface Dropped {
  readonly property: number;
  readonly rule: DropRule;
  readonly count: number;
}

/**
 * Keeps an outbox within its bounds. Whoever holds the most gives way, so that a fast stream does
 * not push out a slow one: by `oldest` its oldest samples, by `thin` every second one, from the
 * oldest to the newest and, when all are as far apart, over again: what is left tells the whole
 * course, coarser. The newest of each stays: of what comes after it, nothing may be sent for long.
 */
export class Quota {
  readonly #options: QuotaOptions;
  readonly #database: Database;
  readonly #statements: ReturnType<typeof prepare>;

  constructor(database: Database, options: QuotaOptions) {
    this.#database = database;
    this.#options = options;
    this.#statements = prepare(database);
  }

  /** Deletes what is too much; belongs into the transaction that stores the counts. */
  makeRoom(backlog: Backlog): Dropped[] {
    const wanted = this.#excess(backlog.held);
    if (wanted <= 0) return [];
    const { after, before } = backlog;
    const streams = this.#statements.streams.all(after, before) as Stream[];
    return fairShares(streams, wanted).flatMap(({ id, name, newest, gives }) => {
      const rule = this.#ruleOf(name);
      const range = { property: id, after, before: newest };
      const count = rule === 'thin' ? this.#thin(range, gives) : this.#dropOldest(range, gives);
      return count === 0 ? [] : [{ property: id, rule, count }];
    });
  }

  #excess(held: number): number {
    const { unacknowledgedMax, sizeBytesMax } = this.#options;
    const tooMany = held - unacknowledgedMax;
    if (tooMany > 0) return Math.max(tooMany, Math.floor(unacknowledgedMax * CLEARED_SHARE));
    return this.#sizeBytes() > sizeBytesMax ? Math.ceil(held * CLEARED_BY_SIZE_SHARE) : 0;
  }

  #sizeBytes(): number {
    const [pages, free, size] = ['page_count', 'freelist_count', 'page_size'].map(
      (name) => this.#database.pragma(name, { simple: true }) as number,
    );
    return (pages! - free!) * size!;
  }

  #ruleOf(property: string): 'oldest' | 'thin' {
    return (
      this.#options.rules.find((rule) => isOfPattern(property, rule.property))?.drop ?? 'oldest'
    );
  }

  #dropOldest(range: Range, count: number): number {
    return this.#statements.dropOldest.run({ ...range, count }).changes;
  }

  #thin(range: Range, wanted: number): number {
    const { property, after, before } = range;
    const saved = this.#statements.thinning.get(property) as Thinning;
    let { thinned, gap } = saved.thinned > after ? saved : { thinned: after, gap: 2 };
    let removed = 0;
    while (removed < wanted && gap <= 2 * (before - after)) {
      const batch = { ...range, after: thinned, count: THINNED_AT_ONCE };
      const sequences = this.#statements.sequences.all(batch) as number[];
      for (const sequence of sequences) {
        if (removed === wanted) break;
        if (thinned > after && sequence - thinned < gap) {
          removed += this.#statements.remove.run(sequence).changes;
        } else thinned = sequence;
      }
      if (sequences.length < THINNED_AT_ONCE && removed < wanted) {
        thinned = after;
        gap *= 2;
      }
    }
    this.#statements.saveThinning.run({ property, thinned, gap });
    return removed;
  }
}

/** Up to `thinned`, no two samples of the property are nearer than `gap`, in sequences. */
interface Thinning {
  readonly thinned: number;
  readonly gap: number;
}

interface Stream {
  readonly id: number;
  readonly name: string;
  readonly held: number;
  /** The newest sequence of those. */
  readonly newest: number;
}

interface Range {
  readonly property: number;
  readonly after: number;
  readonly before: number;
}

/** How much each of the largest gives: `wanted` in all, and then none has more than they have. */
function fairShares(streams: readonly Stream[], wanted: number): (Stream & { gives: number })[] {
  const sorted = streams.toSorted((a, b) => b.held - a.held || a.id - b.id);
  let taken = 0;
  let count = 0;
  while (count < sorted.length && count * sorted[count]!.held + wanted > taken) {
    taken += sorted[count]!.held;
    count++;
  }
  const giving = sorted.slice(0, count);
  const level = Math.max(0, taken - wanted) / Math.max(1, count);
  let left = Math.min(wanted, taken);
  return giving.flatMap((stream) => {
    const gives = Math.min(left, Math.ceil(stream.held - level));
    left -= gives;
    return gives > 0 ? [{ ...stream, gives }] : [];
  });
}

function prepare(database: Database) {
  const ofProperty =
    'SELECT sequence FROM samples WHERE property = :property ' +
    'AND sequence > :after AND sequence < :before ORDER BY sequence LIMIT :count';
  return {
    streams: database.prepare(
      `SELECT properties.id, name, count(*) AS held, max(sequence) AS newest FROM samples
       JOIN properties ON properties.id = property
       WHERE sequence > ? AND sequence < ? GROUP BY property`,
    ),
    dropOldest: database.prepare(`DELETE FROM samples WHERE sequence IN (${ofProperty})`),
    sequences: database.prepare(ofProperty).pluck(),
    remove: database.prepare('DELETE FROM samples WHERE sequence = ?'),
    thinning: database.prepare('SELECT thinned, gap FROM properties WHERE id = ?'),
    saveThinning: database.prepare(
      'UPDATE properties SET thinned = :thinned, gap = :gap WHERE id = :property',
    ),
  };
}
