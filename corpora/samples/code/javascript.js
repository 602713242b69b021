// A small CSV reader and writer, with grouping on top of it.
'use strict';

const DEFAULTS = { delimiter: ',', quote: '"', maxRows: 100000 };

class CsvError extends Error {
  constructor(message, line) {
    super(`line ${line}: ${message}`);
    this.name = 'CsvError';
    this.line = line;
  }
}

/** Yields one array of strings per record; quoted fields may contain line breaks. */
function* records(text, options = {}) {
  const { delimiter, quote, maxRows } = { ...DEFAULTS, ...options };
  let row = [], value = '', quoted = false, line = 1, count = 0;

  for (let i = 0; i < text.length; i++) {
    const c = text[i];
    if (c === '\n') line += 1;
    if (quoted) {
      if (c !== quote) {
        value += c;
      } else if (text[i + 1] === quote) {
        value += quote; // a doubled quote stands for one
        i++;
      } else {
        quoted = false;
      }
    } else if (c === quote && value === '') {
      quoted = true;
    } else if (c === delimiter) {
      row.push(value);
      value = '';
    } else if (c === '\n') {
      row.push(value.replace(/\r$/, ''));
      if (++count > maxRows) throw new CsvError(`more than ${maxRows} rows`, line);
      yield row;
      row = [];
      value = '';
    } else {
      value += c;
    }
  }
  if (quoted) throw new CsvError('unterminated quoted field', line);
  if (value !== '' || row.length > 0) yield [...row, value];
}

/** Turns records into objects keyed by the header row. */
function parse(text, options) {
  const [header, ...rows] = records(text, options);
  return rows.map((row, n) => {
    if (row.length !== header.length) {
      throw new CsvError(`expected ${header.length} fields, found ${row.length}`, n + 2);
    }
    return Object.fromEntries(header.map((key, i) => [key.trim(), row[i]]));
  });
}

const escapeField = (v) => (/[",\r\n]/.test(v) ? `"${v.replace(/"/g, '""')}"` : v);

function stringify(items) {
  const keys = Object.keys(items[0] ?? {});
  const lines = items.map((item) => keys.map((k) => escapeField(String(item[k] ?? ''))).join(','));
  return [keys.join(','), ...lines].join('\n') + '\n';
}

function groupSum(items, key, amount) {
  const totals = new Map();
  for (const item of items) {
    const n = Number(item[amount]);
    if (!Number.isFinite(n)) continue;
    totals.set(item[key], (totals.get(item[key]) ?? 0) + n);
  }
  return [...totals].sort(([, a], [, b]) => b - a);
}

const sample = 'city,item,amount\nPorto,"lamp, brass",1250.50\nTurku,"3"" pipe",48\nPorto,desk,2749.50\n';
const items = parse(sample);
console.assert(items.length === 3 && items[1].item === '3" pipe');
console.assert(stringify(parse(stringify(items))) === stringify(items));
for (const [city, total] of groupSum(items, 'city', 'amount')) {
  console.log(`${city.padEnd(10)} ${total.toFixed(2).padStart(10)}`);
}

module.exports = { records, parse, stringify, groupSum, CsvError };
