const DAY_MS = 86_400_000;

/**
 * Milliseconds since 1970 as `Date.prototype.toISOString` writes them (ECMA-262, 21.4.1.32).
 * Years begin in March here, so that the leap day is a year's last (Howard Hinnant,
 * chrono-Compatible Low-Level Date Algorithms, civil_from_days).
 */
export function isoTime(timeMs: number): string {
  const days = Math.floor(timeMs / DAY_MS);
  const inDay = timeMs - days * DAY_MS;
  const sinceMarch0 = days + 719_468;
  const era = Math.floor(sinceMarch0 / 146_097);
  const dayOfEra = sinceMarch0 - era * 146_097;
  const yearOfEra = Math.floor(
    (dayOfEra -
      Math.floor(dayOfEra / 1460) +
      Math.floor(dayOfEra / 36_524) -
      Math.floor(dayOfEra / 146_096)) /
      365,
  );
  const dayOfYear =
    dayOfEra - 365 * yearOfEra - Math.floor(yearOfEra / 4) + Math.floor(yearOfEra / 100);
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153);
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1;
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9;
  const year = yearOfEra + 400 * era + (month <= 2 ? 1 : 0);
  const hours = Math.floor(inDay / 3_600_000);
  const minutes = Math.floor(inDay / 60_000) % 60;
  const seconds = Math.floor(inDay / 1000) % 60;
  const date = `${yearDigits(year)}-${digits(month, 2)}-${digits(day, 2)}`;
  const time = `${digits(hours, 2)}:${digits(minutes, 2)}:${digits(seconds, 2)}`;
  return `${date}T${time}.${digits(inDay % 1000, 3)}Z`;
}

function digits(value: number, count: number): string {
  return String(Math.floor(value)).padStart(count, '0');
}

function yearDigits(year: number): string {
  if (year >= 0 && year <= 9999) return digits(year, 4);
  return `${year < 0 ? '-' : '+'}${digits(Math.abs(year), 6)}`;
}
