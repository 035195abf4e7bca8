/** Part of every hostile name: text that must never be code. */
export const hostileWord = 'ait_hostile_word';

/** Names that break out of string literals, comments, lines and paths where nobody looks after them. */
export const hostileNames: readonly string[] = [
  `"); ${hostileWord}(); ("`,
  `*/ ${hostileWord}(); /*`,
  `x\n${hostileWord}();`,
  `x\r\n#include <${hostileWord}>\r\n`,
  `// \\\n${hostileWord}`,
  `??/\n${hostileWord}??/`,
  `\\`,
  `\\" ${hostileWord} \\`,
  `%s%n%p ${hostileWord}`,
  `a\0${hostileWord}`,
  `../../../${hostileWord}`,
  `/tmp/${hostileWord}`,
  `\u2028${hostileWord}\u2029\u202e`,
  `)delim" ${hostileWord} R"delim(`,
  `\ud83d\ude00 ${hostileWord} 语言`,
  `\u001b[31m${hostileWord}\u001b]0;x\u0007`,
  `$(${hostileWord}) \`${hostileWord}\` ; ${hostileWord} |`,
  `constructor`,
  `__proto__`,
  `int`,
  ' ',
  `${hostileWord}${'y'.repeat(5000)}`,
];
