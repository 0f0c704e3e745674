package eldergate.client;

import eldergate.v1.Elder.FieldEntry;
import eldergate.v1.Elder.LifeStatus;
import eldergate.v1.Feed.Cursor;
import java.util.List;

/**
 * Keeps a copy of what a subscriber may see. One transaction for the puts of a window and its cursor makes it exact; repeating a
 * window does no harm either way.
 */
public interface Store {
	/** What was saved last; null: nothing yet. */
	Cursor cursor();

	/**
	 * Upserts on (person, version).
	 *
	 * @param fields those that are told; one without a value is no longer asserted by anyone
	 * @param mergedInto who lives on, if the person ended by a merge; else empty
	 */
	void put(String person, long version, LifeStatus life, List<FieldEntry> fields, String mergedInto);

	/** The log is another one, restored from a backup: versions may come again, so all people are forgotten. A snapshot follows. */
	void forget();

	/** Everything before this position was put. */
	void save(Cursor next);
}
