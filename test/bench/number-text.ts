/** Three significant digits: `1,230`, `12.3`, `0.07`. */
export function numberText(value: number): string {
  if (value === 0) return '0';
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value)) + 1e-9));
  return Number(value.toFixed(Math.min(digits, 3))).toLocaleString('en-US', {
    maximumFractionDigits: 3,
  });
}
