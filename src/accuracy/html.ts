/** Text that is HTML already. Only `html` makes it, so what reaches a page unescaped was written in this project. */
export class Html {
  private constructor(readonly text: string) {}

  static of(strings: TemplateStringsArray, values: readonly HtmlValue[]): Html {
    return new Html(strings.reduce((text, part, i) => text + render(values[i - 1]) + part));
  }
}

export type HtmlValue = string | number | Html | undefined | readonly HtmlValue[];

/** A fragment; every string put in is escaped. */
export function html(strings: TemplateStringsArray, ...values: HtmlValue[]): Html {
  return Html.of(strings, values);
}

function render(value: HtmlValue): string {
  if (value === undefined) return '';
  if (value instanceof Html) return value.text;
  if (typeof value === 'object') return value.map(render).join('');
  return escaped(String(value));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Characters that do not show, and those that turn the direction of what follows, become visible marks. */
function escaped(text: string): string {
  return text
    .replace(/\p{Cs}/gu, '\ufffd')
    .replace(/[&<>"']/g, (c) => ENTITIES[c] ?? '')
    .replace(/\p{Cc}/gu, (c) => (c < ' ' ? String.fromCodePoint(0x2400 + c.charCodeAt(0)) : '␡'))
    .replace(/[\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}
