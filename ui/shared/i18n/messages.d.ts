// Compiled catalogues, see plugin.ts.
declare module '*.json?messages=terminal,reason,check,lang' {
  const messages: import('./format.ts').Messages
  export default messages
}
declare module '*.json?messages=bench' {
  const messages: import('./format.ts').Messages
  export default messages
}
declare module '*.json?messages=console,reason,fix,prop,result,level,purpose' {
  const messages: import('./format.ts').Messages
  export default messages
}
