// Package layering holds no code: its test keeps the import rules of the house.
package layering
