// Package recount lets a school year of fifty places and a hundred and twenty
// terminals pass on a virtual clock, as records into the controller's real store
// through its real rules: some told twice, some lost, some late, over restarts and
// changed hours. Every indicator must then equal what is counted a second time,
// from the records themselves and from hours said by hand, minute by minute.
//
// RECOUNT=full is the whole of it, about 300,000 sessions; without it a tenth.
package recount
