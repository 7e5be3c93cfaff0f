// Pages of the bench and of the console that get their picture taken.
export const pages = [
  { name: 'bench', server: 'terminal', path: '/bench.html', wait: '.badges', act: async (p) => { await p.click('[data-tap=a1b2c3d4]'); await p.click('[data-do=case]') } },
  { name: 'view', server: 'terminal', path: '/view.html', wait: 'img.shown', only: 'wide' },
]
