package store

// Dated tells of which tables Tx.Version is noted, and how many bytes of their ids
// are the month (2006-01) or the day (2006-01-02) that their rows are of: reports
// keep what they made of a month until a row of it changes. Of tables that hold what
// places' hours are made of, and change seldom, there is one version of all rows: 0.
func Dated(k Kind) (bytes int, noted bool) {
	switch k {
	case KindRollupMonth, KindOpenMonth, KindEnergyMonth, KindPresence, KindHolderCount:
		return len("2006-01"), true
	case KindRollup, KindOpenDay, KindEnergy:
		return len("2006-01-02"), true
	case KindSetting, KindSite, KindSiteGroup, KindPolicy, KindHours, KindCalendar, KindList, KindNotice, KindHelpFile, KindHelpNear, KindHelpPlace, KindNetwork, KindRollout:
		return 0, true
	}
	return 0, false
}
