package eldergate.client;

import eldergate.v1.Elder.FieldEntry;
import eldergate.v1.Elder.LifeStatus;
import eldergate.v1.Feed.Cursor;
import java.util.List;

/**
 * Keeps a copy of what a subscriber may see. One transaction for a window and its cursor makes it exact; repeating a window
 * does no harm either way.
 */
public interface Store {
	/** What was saved last; null: nothing yet. */
	Cursor cursor();

	/**
	 * A change of a person. Here and below, a version that is not newer than what is known of the person changes nothing.
	 *
	 * @param fields those that changed; one without a value is no longer asserted by anyone
	 * @param mergedInto who lives on, if the person ended by a merge; else empty
	 */
	void put(String person, long version, LifeStatus life, List<FieldEntry> fields, String mergedInto);

	/** All there is of a person, from a snapshot: what else is known of the person holds no more. */
	void replace(String person, long version, LifeStatus life, List<FieldEntry> fields, String mergedInto);

	/** A person passes the filter no more. */
	void forget(String person, long version);

	/** The log is another one, restored from a backup: versions may come again, so all people are forgotten. A snapshot follows. */
	void forgetAll();

	/** Everything before this position was told. */
	void save(Cursor next);
}
