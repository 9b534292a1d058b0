CREATE EXTENSION IF NOT EXISTS vector;
--> statement-breakpoint
CREATE TABLE "skill_embeddings" (
	"id" text PRIMARY KEY NOT NULL,
	"skill_id" text NOT NULL,
	"embedding" vector(384) NOT NULL,
	"model_name" text NOT NULL,
	"model_version" text,
	"input_hash" text NOT NULL,
	"created_at" timestamp with time zone DEFAULT now() NOT NULL,
	"updated_at" timestamp with time zone DEFAULT now() NOT NULL,
	CONSTRAINT "skill_embeddings_skill_id_unique" UNIQUE("skill_id")
);
--> statement-breakpoint
ALTER TABLE "skill_embeddings" ADD CONSTRAINT "skill_embeddings_skill_id_skills_id_fk" FOREIGN KEY ("skill_id") REFERENCES "public"."skills"("id") ON DELETE cascade ON UPDATE no action;--> statement-breakpoint
CREATE INDEX "skill_embeddings_embedding_idx" ON "skill_embeddings" USING hnsw ("embedding" vector_cosine_ops);
