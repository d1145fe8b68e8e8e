/** What a load generator's process is told, one JSON a line; it answers each with one. */
export type LoadCommand =
  | { readonly kind: 'connect'; readonly port: number; readonly count: number }
  | { readonly kind: 'saturate'; readonly seconds: number; readonly perMessage: number }
  | { readonly kind: 'pace'; readonly seconds: number; readonly perSecond: number }
  | {
      readonly kind: 'overload';
      readonly seconds: number;
      readonly perSecond: number;
      readonly perMessage: number;
    }
  | { readonly kind: 'fill'; readonly port: number; readonly count: number }
  | { readonly kind: 'feedback'; readonly port: number; readonly seconds: number }
  | {
      readonly kind: 'http';
      readonly what: HttpLoadKind;
      readonly port: number;
      readonly seconds: number;
      readonly connections: number;
      /** Things there are, filled before. */
      readonly things: number;
    };

/** Reads of whole things or of one property, edits of an attribute, and searches. */
export type HttpLoadKind = 'thing' | 'property' | 'edit' | 'search';
