/** A clock of the page that moves each quarter of a second while it is used. */
export class Ticker {
  now = $state(performance.now())

  constructor() {
    $effect(() => {
      const id = setInterval(() => (this.now = performance.now()), 250)
      return () => clearInterval(id)
    })
  }
}
