// Package escape tries to get out: a table of attempts at a real terminal, with
// real key presses and hostile pages, judged from outside the browser. Each row
// says what is tried, what would count as success and who stops it. With the
// guard that a row names taken away, the same row must report an escape
// (make escape-mutation): else it could not fail.
package escape
