// Compiled catalogues, see plugin.ts.
declare module '*.json?messages=terminal,print,reason,check,fix,prop,lang,lists' {
  const messages: import('./format.ts').Messages
  export default messages
}
declare module '*.json?messages=bench' {
  const messages: import('./format.ts').Messages
  export default messages
}
declare module '*.json?messages=console,print,reason,fix,prop,result,level,purpose,lists' {
  const messages: import('./format.ts').Messages
  export default messages
}
