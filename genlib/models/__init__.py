"""One file per model or family; each file is one sitting's reading."""
