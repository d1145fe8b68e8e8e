import { ApiFailure, apiErrors } from './api-error.ts';

const SEGMENTS_MAX = 40;

/** The segments of a URL's path, decoded. Throws {@link ApiFailure} where it is none of Ditto's. */
export function readSegments(path: string): string[] {
  const trimmed = path.replace(/^\//, '').replace(/\/$/, '');
  const segments = trimmed.split('/');
  if (segments.length > SEGMENTS_MAX) {
    throw new ApiFailure(apiErrors.pathInvalid(`it has more than ${SEGMENTS_MAX} parts`));
  }
  return segments.map((encoded) => {
    const segment = decode(encoded);
    if (segment === '' && trimmed !== '') {
      throw new ApiFailure(apiErrors.pathInvalid('two slashes in a row'));
    }
    if (segment?.includes('/') === false) return segment;
    throw new ApiFailure(apiErrors.pathInvalid('a part of it is wrongly encoded, or has a slash'));
  });
}

function decode(encoded: string): string | undefined {
  try {
    return decodeURIComponent(encoded);
  } catch {
    return undefined; // the caller says so
  }
}
